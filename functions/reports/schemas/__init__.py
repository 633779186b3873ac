"""What each route answers, as types.

Nothing of this runs while one answers: the OpenAPI document is made of it, the page's client of that, and the
tests hold every answer to it. Ids are UUIDs, times ISO 8601 with their zone; what is not known is null.
"""
