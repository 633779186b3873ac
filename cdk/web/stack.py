"""The web stack: the page in a private bucket, and the distribution in front of it."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_deployment as deployment
from constructs import Construct

from cdk.acknowledgments import acknowledge
from cdk.buckets import private_bucket
from cdk.data.stack import DataStack
from cdk.environments import Environment
from cdk.paths import ROOT
from cdk.retention import log_group
from cdk.serving.stack import ServingStack
from cdk.web.distribution import EDGE, Distribution

PAGE = ROOT / "web" / "dist"


class WebStack(cdk.Stack):
    """Bucket, distribution, and the deployment of the page."""

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
        self.bucket = private_bucket(
            self,
            "Page",
            versioned=True,
            lifecycle_rules=[s3.LifecycleRule(noncurrent_version_expiration=cdk.Duration.days(30))],
            removal_policy=cdk.RemovalPolicy.DESTROY,  # every deployment writes its contents again
            auto_delete_objects=True,
        )
        acknowledge(
            self.bucket,
            {"AwsSolutions-S1": "Only CloudFront reads the bucket, and it logs every request."},
        )
        self.distribution = Distribution(
            self,
            "Cdn",
            environment=environment,
            page_bucket=self.bucket,
            log_bucket=data.access_logs,
            serving=serving,
            firewall_arn=firewall_arn,
        ).distribution
        self._deploy_page(environment, serving)
        cdk.CfnOutput(self, "Url", value=f"https://{environment.web_domain or self.distribution.domain_name}")

    def _deploy_page(self, environment: Environment, serving: ServingStack) -> None:
        """Copy the built page into the bucket, or a placeholder that links to the API.

        Built files have their hash in their name and never change. Browsers revalidate index.html, and
        config.json with the sign-in settings, on every visit.
        """
        source = (
            deployment.Source.asset(str(PAGE))
            if PAGE.is_dir()
            else deployment.Source.data("index.html", (EDGE / "index.html").read_text())
        )
        sign_in = serving.identity.sign_in() if serving.identity else None
        config = deployment.Source.json_data("config.json", {"sign_in": sign_in})
        log = log_group(self, "DeployerLog", environment)  # CDK's own would outlive the stack
        unhashed = ["index.html", "favicon.svg"]
        assets = deployment.BucketDeployment(
            self,
            "Assets",
            sources=[source],
            destination_bucket=self.bucket,
            log_group=log,
            exclude=unhashed,
            cache_control=[
                deployment.CacheControl.max_age(cdk.Duration.days(365)),
                deployment.CacheControl.immutable(),
            ],
            prune=False,  # open pages still load the files of their own version
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
        entry.node.add_dependency(assets)  # index.html must not be published before the files that it loads
        for construct in self.node.children:
            if construct.node.id.startswith("Custom::CDKBucketDeployment"):
                acknowledge(construct, self._deployer_reasons())

    def _deployer_reasons(self) -> dict[str, str]:
        """Return why the findings on CDK's own deployment function are accepted."""
        access = "CDK's function copies CDK's assets into this bucket only, and only during a deployment."
        basic = "<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
        assets = f"arn:aws:s3:::cdk-hnb659fds-assets-<AWS::AccountId>-{self.region}"
        page = f"<{self.get_logical_id(self.bucket.node.default_child)}.Arn>"  # type: ignore[arg-type]
        actions = ("s3:Abort*", "s3:DeleteObject*", "s3:GetBucket*", "s3:GetObject*", "s3:List*")
        return {
            "AwsSolutions-L1": "CDK chooses the runtime of its own function.",
            f"AwsSolutions-IAM4[Policy::arn:{basic}]": "CDK's function logs with AWS's managed policy.",
            **{f"AwsSolutions-IAM5[Action::{action}]": access for action in actions},
            **{f"AwsSolutions-IAM5[Resource::{arn}/*]": access for arn in (assets, page)},
        }
