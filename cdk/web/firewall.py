"""The web application firewall, which CloudFront takes from us-east-1 only; an HTTP API cannot have one.

It guards what comes through CloudFront. Who calls the HTTP API by its own address meets its throttles and its
authorizer, and no firewall.
"""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_logs as logs
from aws_cdk import aws_wafv2 as waf
from constructs import Construct

from cdk.environments import Environment
from cdk.packaging import RETENTIONS, removal_policy

REGION = "us-east-1"
MANAGED = ("AWSManagedRulesAmazonIpReputationList", "AWSManagedRulesKnownBadInputsRuleSet")
# People send reviews with markup, links and paths in them, in batches over 8 KB. The API treats text as data,
# so these rules of the common set only count.
COUNTED = (
    "CrossSiteScripting_BODY",
    "EC2MetaDataSSRF_BODY",
    "GenericLFI_BODY",
    "GenericRFI_BODY",
    "SizeRestrictions_BODY",
)


class FirewallStack(cdk.Stack):
    """A rate limit for each address, AWS's managed rules, and a log of what they stopped."""

    def __init__(self, scope: Construct, id: str, *, environment: Environment, **stack: Any) -> None:
        super().__init__(scope, id, **stack)
        limit = waf.CfnWebACL.RateBasedStatementProperty(
            aggregate_key_type="IP",
            limit=environment.web_requests_per_5_minutes,
            evaluation_window_sec=300,
        )
        common = _managed("AWSManagedRulesCommonRuleSet", counted=COUNTED)
        statements = [common, *map(_managed, MANAGED)]
        rules = [
            waf.CfnWebACL.RuleProperty(
                name="RateLimit",
                priority=0,
                statement=waf.CfnWebACL.StatementProperty(rate_based_statement=limit),
                action=waf.CfnWebACL.RuleActionProperty(block={}),
                visibility_config=_visible("RateLimit"),
            )
        ]
        for priority, statement in enumerate(statements, start=1):
            rules.append(
                waf.CfnWebACL.RuleProperty(
                    name=statement.name,
                    priority=priority,
                    statement=waf.CfnWebACL.StatementProperty(managed_rule_group_statement=statement),
                    override_action=waf.CfnWebACL.OverrideActionProperty(none={}),
                    visibility_config=_visible(statement.name),
                )
            )
        self.acl = waf.CfnWebACL(
            self,
            "Acl",
            scope="CLOUDFRONT",
            default_action=waf.CfnWebACL.DefaultActionProperty(allow={}),
            rules=rules,
            visibility_config=_visible("Acl"),
        )
        log = logs.LogGroup(
            self,
            "Log",
            log_group_name=f"aws-waf-logs-{self.stack_name}",  # WAF takes no other names
            retention=RETENTIONS[environment.log_retention_days],
            removal_policy=removal_policy(environment),
        )
        waf.CfnLoggingConfiguration(
            self,
            "Logging",
            resource_arn=self.acl.attr_arn,
            log_destination_configs=[
                self.format_arn(
                    service="logs",
                    resource="log-group",
                    resource_name=log.log_group_name,
                    arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
                )
            ],
            redacted_fields=[{"singleHeader": {"Name": "authorization"}}],
            logging_filter={
                "DefaultBehavior": "DROP",
                "Filters": [
                    {
                        "Behavior": "KEEP",
                        "Requirement": "MEETS_ANY",
                        "Conditions": [
                            {"ActionCondition": {"Action": action}} for action in ("BLOCK", "COUNT")
                        ],
                    }
                ],
            },
        )


def _managed(name: str, counted: tuple[str, ...] = ()) -> waf.CfnWebACL.ManagedRuleGroupStatementProperty:
    return waf.CfnWebACL.ManagedRuleGroupStatementProperty(
        vendor_name="AWS",
        name=name,
        rule_action_overrides=[
            waf.CfnWebACL.RuleActionOverrideProperty(
                name=rule, action_to_use=waf.CfnWebACL.RuleActionProperty(count={})
            )
            for rule in counted
        ]
        or None,
    )


def _visible(name: str) -> waf.CfnWebACL.VisibilityConfigProperty:
    return waf.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=False
    )
