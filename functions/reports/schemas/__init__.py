"""The response types of the routes.

They are not used at run time: the OpenAPI document is generated from them, and the tests validate every
response against it. Ids are UUIDs, times are ISO 8601 with their time zone, and unknown values are null.
"""
