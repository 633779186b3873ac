"""The page and the way to it: a private bucket behind CloudFront, with the API beneath /api of one origin.

Without a domain of one's own CloudFront serves its default certificate, whose lowest TLS version AWS chooses;
with `web_certificate_arn`, the one of `web_domain`, it is 1.2.
"""

import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_certificatemanager as certificates
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_deployment as deployment
from constructs import Construct

from cdk.acknowledgments import acknowledge
from cdk.data.stack import DataStack
from cdk.environments import Environment
from cdk.packaging import log_group
from cdk.paths import ROOT
from cdk.serving.stack import ServingStack

EDGE = Path(__file__).parent / "edge"
PAGE = ROOT / "web" / "dist"
SECURITY = ROOT / "web" / "security.json"  # the laptop's page has the same


class WebStack(cdk.Stack):
    """Bucket, distribution, and the page in it."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        environment: Environment,
        data: DataStack,
        serving: ServingStack,
        firewall_arn: str | None = None,
        **stack: Any,
    ) -> None:
        super().__init__(scope, id, **stack)
        self.bucket = s3.Bucket(
            self,
            "Page",
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            versioned=True,
            lifecycle_rules=[s3.LifecycleRule(noncurrent_version_expiration=cdk.Duration.days(30))],
            removal_policy=cdk.RemovalPolicy.DESTROY,  # every deployment writes it anew
            auto_delete_objects=True,
        )
        acknowledge(
            self.bucket,
            {"AwsSolutions-S1": "CloudFront is the bucket's only reader, and logs every request."},
        )
        self.distribution = self._distribution(environment, data, serving, firewall_arn)
        self._deploy(environment, serving)
        cdk.CfnOutput(self, "Url", value=f"https://{environment.web_domain or self.distribution.domain_name}")

    def _distribution(
        self,
        environment: Environment,
        data: DataStack,
        serving: ServingStack,
        firewall_arn: str | None,
    ) -> cloudfront.Distribution:
        headers = self._headers(serving)
        certificate = environment.web_certificate_arn and certificates.Certificate.from_certificate_arn(
            self, "Certificate", environment.web_certificate_arn
        )
        address = f"{serving.http_api.http_api_id}.execute-api.{serving.region}.{cdk.Aws.URL_SUFFIX}"
        distribution = cloudfront.Distribution(
            self,
            "Distribution",
            comment=f"Serverless Sentiment, {environment.name}",
            default_root_object="index.html",
            default_behavior=cloudfront.BehaviorOptions(
                origin=origins.S3BucketOrigin.with_origin_access_control(self.bucket),
                viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
                cache_policy=cloudfront.CachePolicy.CACHING_OPTIMIZED,
                response_headers_policy=headers,
                function_associations=[self._at_the_edge("Page", "page.js")],
            ),
            additional_behaviors={
                "/api/*": cloudfront.BehaviorOptions(
                    origin=origins.HttpOrigin(
                        address,
                        protocol_policy=cloudfront.OriginProtocolPolicy.HTTPS_ONLY,
                        origin_ssl_protocols=[cloudfront.OriginSslPolicy.TLS_V1_2],
                    ),
                    viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.HTTPS_ONLY,
                    allowed_methods=cloudfront.AllowedMethods.ALLOW_ALL,
                    cache_policy=cloudfront.CachePolicy.CACHING_DISABLED,
                    # All that the caller sent, Authorization too; API Gateway answers to its own host only.
                    origin_request_policy=cloudfront.OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
                    response_headers_policy=headers,
                    function_associations=[self._at_the_edge("Api", "api.js")],
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
            log_bucket=data.access_logs,
            log_file_prefix="web/",
            log_includes_cookies=False,
        )
        reasons = {"AwsSolutions-CFR1": "People may call from anywhere."}
        if not certificate:
            reasons["AwsSolutions-CFR4"] = (
                "CloudFront's own certificate takes no lowest version; with one's own it is TLS 1.2."
            )
        if not firewall_arn:
            reasons["AwsSolutions-CFR2"] = (
                f"{environment.name} goes without, by keyword: it costs more than the rest of the page."
            )
        acknowledge(distribution, reasons)
        return distribution

    def _at_the_edge(self, id: str, file: str) -> cloudfront.FunctionAssociation:
        return cloudfront.FunctionAssociation(
            event_type=cloudfront.FunctionEventType.VIEWER_REQUEST,
            function=cloudfront.Function(
                self,
                f"{id}Request",
                code=cloudfront.FunctionCode.from_file(file_path=str(EDGE / file)),
                runtime=cloudfront.FunctionRuntime.JS_2_0,
            ),
        )

    def _headers(self, serving: ServingStack) -> cloudfront.ResponseHeadersPolicy:
        security = json.loads(SECURITY.read_text())
        directives = dict(security["content_security_policy"])
        if serving.identity and serving.identity.page_client:
            directives["connect-src"] += f" {serving.identity.domain_url}"  # where codes become tokens
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

    def _deploy(self, environment: Environment, serving: ServingStack) -> None:
        """Put the built page into the bucket, or one that says where the API is.

        Built files carry their hash in their name and never change; index.html, and config.json, which says
        where people sign in, are asked for anew each time.
        """
        source = (
            deployment.Source.asset(str(PAGE))
            if PAGE.is_dir()
            else deployment.Source.data("index.html", (EDGE / "index.html").read_text())
        )
        sign_in = serving.identity.sign_in() if serving.identity else None
        config = deployment.Source.json_data("config.json", {"sign_in": sign_in})
        once = cdk.Duration.days(365)
        log = log_group(self, "DeployerLog", environment)  # CDK's own would outlive the stack
        unhashed = ["index.html", "favicon.svg"]
        assets = deployment.BucketDeployment(
            self,
            "Assets",
            sources=[source],
            destination_bucket=self.bucket,
            log_group=log,
            exclude=unhashed,
            cache_control=[deployment.CacheControl.max_age(once), deployment.CacheControl.immutable()],
            prune=False,  # a page that is open goes on loading its own version's files
        )
        entry = deployment.BucketDeployment(
            self,
            "Entry",
            sources=[source, config],
            destination_bucket=self.bucket,
            log_group=log,
            exclude=["*"],
            include=[*unhashed, "config.json"],
            cache_control=[deployment.CacheControl.no_cache()],
            prune=False,
        )
        entry.node.add_dependency(assets)  # nobody is to get an entry whose files are not there yet
        for construct in self.node.children:
            if construct.node.id.startswith("Custom::CDKBucketDeployment"):
                acknowledge(construct, self._deployer_reasons())

    def _deployer_reasons(self) -> dict[str, str]:
        """Say why CDK's own deployer may stay as it is."""
        ours = "CDK's function copies CDK's assets into this one bucket, and only during a deployment."
        basic = "<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
        assets = f"arn:aws:s3:::cdk-hnb659fds-assets-<AWS::AccountId>-{self.region}"
        page = f"<{self.get_logical_id(self.bucket.node.default_child)}.Arn>"  # type: ignore[arg-type]
        actions = ("s3:Abort*", "s3:DeleteObject*", "s3:GetBucket*", "s3:GetObject*", "s3:List*")
        return {
            "AwsSolutions-L1": "CDK chooses the runtime of its own function.",
            f"AwsSolutions-IAM4[Policy::arn:{basic}]": "CDK's function logs by AWS's own policy for that.",
            **{f"AwsSolutions-IAM5[Action::{action}]": ours for action in actions},
            **{f"AwsSolutions-IAM5[Resource::{arn}/*]": ours for arn in (assets, page)},
        }
