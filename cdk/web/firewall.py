"""The web application firewall (WAF) of the distribution, which must be in us-east-1.

It covers requests through CloudFront. An HTTP API cannot have a WAF: direct requests to it are limited by its
throttles and its authorizer only.
"""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_wafv2 as waf
from constructs import Construct

from cdk.environments import Environment
from cdk.retention import log_group

REGION = "us-east-1"
MANAGED_RULE_GROUPS = ("AWSManagedRulesAmazonIpReputationList", "AWSManagedRulesKnownBadInputsRuleSet")
# Reviews contain markup, links and paths, and batches are over 8 KB. To the API text is only data, so these
# rules of the common rule set count instead of blocking.
COUNTING_RULES = (
    "CrossSiteScripting_BODY",
    "EC2MetaDataSSRF_BODY",
    "GenericLFI_BODY",
    "GenericRFI_BODY",
    "SizeRestrictions_BODY",
)


class FirewallStack(cdk.Stack):
    """A web ACL with a rate limit per IP address and AWS's managed rules, and its log."""

    def __init__(self, scope: Construct, id: str, *, environment: Environment, **stack: Any) -> None:
        super().__init__(scope, id, **stack)
        limit = waf.CfnWebACL.RateBasedStatementProperty(
            aggregate_key_type="IP",
            limit=environment.web_requests_per_5_minutes,
            evaluation_window_sec=300,
        )
        common = _managed_rules("AWSManagedRulesCommonRuleSet", counting=COUNTING_RULES)
        statements = [common, *map(_managed_rules, MANAGED_RULE_GROUPS)]
        rules = [
            waf.CfnWebACL.RuleProperty(
                name="RateLimit",
                priority=0,
                statement=waf.CfnWebACL.StatementProperty(rate_based_statement=limit),
                action=waf.CfnWebACL.RuleActionProperty(block={}),
                visibility_config=_visibility("RateLimit"),
            )
        ]
        for priority, statement in enumerate(statements, start=1):
            rules.append(
                waf.CfnWebACL.RuleProperty(
                    name=statement.name,
                    priority=priority,
                    statement=waf.CfnWebACL.StatementProperty(managed_rule_group_statement=statement),
                    override_action=waf.CfnWebACL.OverrideActionProperty(none={}),
                    visibility_config=_visibility(statement.name),
                )
            )
        self.acl = waf.CfnWebACL(
            self,
            "Acl",
            scope="CLOUDFRONT",
            default_action=waf.CfnWebACL.DefaultActionProperty(allow={}),
            rules=rules,
            visibility_config=_visibility("Acl"),
        )
        log = log_group(
            self, "Log", environment, name=f"aws-waf-logs-{self.stack_name}"
        )  # prefix is required
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


def _managed_rules(
    name: str, counting: tuple[str, ...] = ()
) -> waf.CfnWebACL.ManagedRuleGroupStatementProperty:
    return waf.CfnWebACL.ManagedRuleGroupStatementProperty(
        vendor_name="AWS",
        name=name,
        rule_action_overrides=[
            waf.CfnWebACL.RuleActionOverrideProperty(
                name=rule, action_to_use=waf.CfnWebACL.RuleActionProperty(count={})
            )
            for rule in counting
        ]
        or None,
    )


def _visibility(name: str) -> waf.CfnWebACL.VisibilityConfigProperty:
    return waf.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=False
    )
