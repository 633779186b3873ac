"""The CloudFront distribution: the page at `/` and the HTTP API under `/api`, with strict headers.

Without your own certificate, CloudFront serves its default one, whose minimum TLS version AWS chooses. With
`web_certificate_arn`, the certificate of `web_domain`, it is 1.2.
"""

import json
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_certificatemanager as certificates
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_s3 as s3
from constructs import Construct

from cdk.acknowledgments import acknowledge
from cdk.environments import Environment
from cdk.paths import ROOT
from cdk.serving.stack import ServingStack

EDGE = Path(__file__).parent / "edge"
SECURITY_HEADERS = ROOT / "web" / "security.json"  # also used by the laptop's page


class Distribution(Construct):
    """The distribution with its edge functions and response headers."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        environment: Environment,
        page_bucket: s3.IBucket,
        log_bucket: s3.IBucket,
        serving: ServingStack,
        firewall_arn: str | None,
    ) -> None:
        super().__init__(scope, id)
        headers = self._headers(serving)
        certificate = environment.web_certificate_arn and certificates.Certificate.from_certificate_arn(
            self, "Certificate", environment.web_certificate_arn
        )
        api_host = f"{serving.http_api.http_api_id}.execute-api.{serving.region}.{cdk.Aws.URL_SUFFIX}"
        self.distribution = cloudfront.Distribution(
            self,
            "Distribution",
            comment=f"Serverless Sentiment, {environment.name}",
            default_root_object="index.html",
            default_behavior=cloudfront.BehaviorOptions(
                origin=origins.S3BucketOrigin.with_origin_access_control(page_bucket),
                viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
                cache_policy=cloudfront.CachePolicy.CACHING_OPTIMIZED,
                response_headers_policy=headers,
                function_associations=[self._edge_function("PageRequest", "page.js")],
            ),
            additional_behaviors={
                "/api/*": cloudfront.BehaviorOptions(
                    origin=origins.HttpOrigin(
                        api_host,
                        protocol_policy=cloudfront.OriginProtocolPolicy.HTTPS_ONLY,
                        origin_ssl_protocols=[cloudfront.OriginSslPolicy.TLS_V1_2],
                    ),
                    viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.HTTPS_ONLY,
                    allowed_methods=cloudfront.AllowedMethods.ALLOW_ALL,
                    cache_policy=cloudfront.CachePolicy.CACHING_DISABLED,
                    # Forwards Authorization too; API Gateway accepts only its own host name.
                    origin_request_policy=cloudfront.OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
                    response_headers_policy=headers,
                    function_associations=[self._edge_function("ApiRequest", "api.js")],
                )
            },
            domain_names=[environment.web_domain] if certificate and environment.web_domain else None,
            certificate=certificate or None,
            minimum_protocol_version=(
                cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021 if certificate else None
            ),
            http_version=cloudfront.HttpVersion.HTTP2_AND_3,
            price_class=cloudfront.PriceClass.PRICE_CLASS_100,
            web_acl_id=firewall_arn,
            enable_logging=True,
            log_bucket=log_bucket,
            log_file_prefix="web/",
            log_includes_cookies=False,
        )
        reasons = {"AwsSolutions-CFR1": "Requests from any country are allowed."}
        if not certificate:
            reasons["AwsSolutions-CFR4"] = (
                "CloudFront's default certificate has no minimum TLS version; with your own it is 1.2."
            )
        if not firewall_arn:
            reasons["AwsSolutions-CFR2"] = (
                f"{environment.name} has no WAF, by keyword: it costs more than the rest of the page."
            )
        acknowledge(self.distribution, reasons)

    def _edge_function(self, id: str, file: str) -> cloudfront.FunctionAssociation:
        return cloudfront.FunctionAssociation(
            event_type=cloudfront.FunctionEventType.VIEWER_REQUEST,
            function=cloudfront.Function(
                self,
                id,
                code=cloudfront.FunctionCode.from_file(file_path=str(EDGE / file)),
                runtime=cloudfront.FunctionRuntime.JS_2_0,
            ),
        )

    def _headers(self, serving: ServingStack) -> cloudfront.ResponseHeadersPolicy:
        security = json.loads(SECURITY_HEADERS.read_text())
        directives = dict(security["content_security_policy"])
        if serving.identity and serving.identity.page_client:
            directives["connect-src"] += f" {serving.identity.domain_url}"  # to exchange codes for tokens
        policy = "; ".join(f"{name} {value}" for name, value in directives.items())
        return cloudfront.ResponseHeadersPolicy(
            self,
            "Headers",
            security_headers_behavior=cloudfront.ResponseSecurityHeadersBehavior(
                content_security_policy=cloudfront.ResponseHeadersContentSecurityPolicy(
                    content_security_policy=policy, override=True
                ),
                content_type_options=cloudfront.ResponseHeadersContentTypeOptions(override=True),
                frame_options=cloudfront.ResponseHeadersFrameOptions(
                    frame_option=cloudfront.HeadersFrameOption.DENY, override=True
                ),
                referrer_policy=cloudfront.ResponseHeadersReferrerPolicy(
                    referrer_policy=cloudfront.HeadersReferrerPolicy.SAME_ORIGIN, override=True
                ),
                strict_transport_security=cloudfront.ResponseHeadersStrictTransportSecurity(
                    access_control_max_age=cdk.Duration.days(730), include_subdomains=True, override=True
                ),
            ),
            custom_headers_behavior=cloudfront.ResponseCustomHeadersBehavior(
                custom_headers=[
                    cloudfront.ResponseCustomHeader(header=header, value=value, override=True)
                    for header, value in security["headers"].items()
                ]
            ),
        )
