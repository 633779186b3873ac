"""The web stack: one origin for page and API, strict headers, a firewall, and a private bucket."""

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cdk.web.distribution import EDGE
from tests.fixtures.templates import PLAIN, RICH, Template, resources, synthesize


@pytest.fixture(scope="module")
def template() -> Template:
    return synthesize(RICH)["Web"]


@pytest.fixture(scope="module")
def distribution(template: Template) -> dict[str, Any]:
    (found,) = resources(template, "AWS::CloudFront::Distribution")
    config: dict[str, Any] = found["DistributionConfig"]
    return config


def test_the_bucket_is_private_encrypted_and_readable_by_this_distribution_only(template: Template) -> None:
    (bucket,) = resources(template, "AWS::S3::Bucket")
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["BucketEncryption"]
    (policy,) = resources(template, "AWS::S3::BucketPolicy")
    found = policy["PolicyDocument"]["Statement"]
    assert any(
        s["Effect"] == "Deny" and s.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
        for s in found
    )
    (read,) = [s for s in found if s["Action"] == "s3:GetObject"]
    assert read["Principal"] == {"Service": "cloudfront.amazonaws.com"}
    assert "AWS:SourceArn" in read["Condition"]["StringEquals"]
    (control,) = resources(template, "AWS::CloudFront::OriginAccessControl")
    assert control["OriginAccessControlConfig"]["SigningBehavior"] == "always"


def test_a_custom_domain_requires_tls_1_2_or_newer(distribution: dict[str, Any]) -> None:
    assert distribution["Aliases"] == ["sentiment.example.com"]
    assert distribution["ViewerCertificate"]["MinimumProtocolVersion"] == "TLSv1.2_2021"
    assert distribution["ViewerCertificate"]["AcmCertificateArn"] == RICH.web_certificate_arn


def test_sign_in_redirects_to_the_distributions_domain_which_is_no_alias() -> None:
    stacks = synthesize(replace(RICH, web_domain="d1.cloudfront.net", web_certificate_arn=None))
    (distribution,) = resources(stacks["Web"], "AWS::CloudFront::Distribution")
    assert "Aliases" not in distribution["DistributionConfig"]
    (page,) = resources(stacks["Serving"], "AWS::Cognito::UserPoolClient", AllowedOAuthFlows=["code"])
    assert page["CallbackURLs"] == page["LogoutURLs"] == ["https://d1.cloudfront.net/"]
    assert page["GenerateSecret"] is False


def test_every_connection_requires_tls(distribution: dict[str, Any]) -> None:
    assert distribution["DefaultCacheBehavior"]["ViewerProtocolPolicy"] == "redirect-to-https"
    (api,) = distribution["CacheBehaviors"]
    assert api["ViewerProtocolPolicy"] == "https-only"
    (origin,) = [each for each in distribution["Origins"] if "CustomOriginConfig" in each]
    assert origin["CustomOriginConfig"]["OriginProtocolPolicy"] == "https-only"
    assert origin["CustomOriginConfig"]["OriginSSLProtocols"] == ["TLSv1.2"]


def test_the_api_is_on_the_same_origin_uncached_with_every_method(distribution: dict[str, Any]) -> None:
    (api,) = distribution["CacheBehaviors"]
    assert api["PathPattern"] == "/api/*"
    assert {"GET", "POST", "OPTIONS"} <= set(api["AllowedMethods"])
    assert api["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"  # AWS's CachingDisabled
    # AWS's AllViewerExceptHostHeader, which forwards Authorization.
    assert api["OriginRequestPolicyId"] == "b689b0a8-53d0-40ab-baf2-68738e2966ac"
    (origin,) = [each for each in distribution["Origins"] if "CustomOriginConfig" in each]
    assert api["TargetOriginId"] == origin["Id"]
    assert ".execute-api.eu-central-1." in json.dumps(origin["DomainName"])


@pytest.mark.parametrize(
    ("file", "requested", "rewritten"),
    [
        ("api.js", "/api/predict", "/predict"),
        ("api.js", "/api/predictions/1/feedback", "/predictions/1/feedback"),
        ("api.js", "/api/", "/"),
        ("api.js", "/apiary", "/apiary"),
        ("api.js", "/api/reports/api/x", "/reports/api/x"),
        ("page.js", "/", "/index.html"),
        ("page.js", "/watch/drift", "/index.html"),
        ("page.js", "/assets/index-4f2a.js", "/assets/index-4f2a.js"),
    ],
)
def test_edge_functions_rewrite_paths(file: str, requested: str, rewritten: str) -> None:
    node = shutil.which("node")
    assert node, "CDK itself runs on node"
    script = f"{(EDGE / file).read_text()}; console.log(handler({{request: {{uri: '{requested}'}}}}).uri)"
    run = subprocess.run([node, "-e", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == rewritten


def test_an_edge_function_runs_on_every_viewer_request(
    template: Template, distribution: dict[str, Any]
) -> None:
    for behavior in (distribution["DefaultCacheBehavior"], *distribution["CacheBehaviors"]):
        (association,) = behavior["FunctionAssociations"]
        assert association["EventType"] == "viewer-request"
    codes = {each["FunctionCode"] for each in resources(template, "AWS::CloudFront::Function")}
    assert codes == {(EDGE / name).read_text() for name in ("api.js", "page.js")}


def test_every_response_has_strict_headers(template: Template, distribution: dict[str, Any]) -> None:
    ((name, policy),) = template.find_resources("AWS::CloudFront::ResponseHeadersPolicy").items()
    headers = policy["Properties"]["ResponseHeadersPolicyConfig"]["SecurityHeadersConfig"]
    content = json.dumps(headers["ContentSecurityPolicy"]["ContentSecurityPolicy"])
    assert "default-src 'none'; " in content
    for forbidden in ("unsafe-inline", "unsafe-eval", "*", "http:"):
        assert forbidden not in content
    assert "frame-ancestors 'none'" in content
    assert headers["StrictTransportSecurity"]["AccessControlMaxAgeSec"] >= 365 * 24 * 3600
    assert headers["FrameOptions"]["FrameOption"] == "DENY"
    assert headers["ContentTypeOptions"]["Override"] is True
    for behavior in (distribution["DefaultCacheBehavior"], *distribution["CacheBehaviors"]):
        assert behavior["ResponseHeadersPolicyId"] == {"Ref": name}


def test_the_page_can_connect_to_the_sign_in_domain_and_no_other(template: Template) -> None:
    [policy] = resources(template, "AWS::CloudFront::ResponseHeadersPolicy")
    config = policy["ResponseHeadersPolicyConfig"]["SecurityHeadersConfig"]
    content = json.dumps(config["ContentSecurityPolicy"]["ContentSecurityPolicy"])
    assert "connect-src 'self' https://" in content
    assert ".amazoncognito.com" in content
    [open_to_all] = resources(synthesize(PLAIN)["Web"], "AWS::CloudFront::ResponseHeadersPolicy")
    config = open_to_all["ResponseHeadersPolicyConfig"]["SecurityHeadersConfig"]
    assert "connect-src 'self';" in config["ContentSecurityPolicy"]["ContentSecurityPolicy"]


def test_the_page_reads_its_sign_in_settings_from_a_file_that_is_not_cached(template: Template) -> None:
    [entry] = [
        found
        for found in resources(template, "Custom::CDKBucketDeployment")
        if "config.json" in found.get("Include", [])
    ]
    assert entry["SystemMetadata"]["cache-control"] == "no-cache"
    assert entry["SourceMarkers"], "the deployment substitutes the client id and URLs"


def test_every_request_is_logged_without_cookies(distribution: dict[str, Any]) -> None:
    assert distribution["Logging"]["Bucket"]
    assert distribution["Logging"].get("IncludeCookies") in (None, False)


def test_the_firewall_is_attached_and_limits_each_address(distribution: dict[str, Any]) -> None:
    assert distribution["WebACLId"]
    (acl,) = resources(synthesize(RICH)["Firewall"], "AWS::WAFv2::WebACL")
    assert acl["Scope"] == "CLOUDFRONT"
    (limit,) = [rule for rule in acl["Rules"] if "RateBasedStatement" in rule["Statement"]]
    assert limit["Action"] == {"Block": {}}
    statement = limit["Statement"]["RateBasedStatement"]
    assert (statement["Limit"], statement["AggregateKeyType"]) == (RICH.web_requests_per_5_minutes, "IP")


def test_managed_rules_block_requests_but_not_reviews_with_markup(template: Template) -> None:
    (acl,) = resources(synthesize(RICH)["Firewall"], "AWS::WAFv2::WebACL")
    groups = {
        rule["Statement"]["ManagedRuleGroupStatement"]["Name"]: rule
        for rule in acl["Rules"]
        if "ManagedRuleGroupStatement" in rule["Statement"]
    }
    assert "AWSManagedRulesKnownBadInputsRuleSet" in groups
    common = groups["AWSManagedRulesCommonRuleSet"]
    assert common["OverrideAction"] == {"None": {}}
    counted = common["Statement"]["ManagedRuleGroupStatement"]["RuleActionOverrides"]
    # A review with <br />, or a large batch, must not be blocked.
    assert {"CrossSiteScripting_BODY", "SizeRestrictions_BODY"} <= {rule["Name"] for rule in counted}
    assert all(rule["Name"].endswith("_BODY") for rule in counted)


def test_the_firewalls_log_contains_no_token(template: Template) -> None:
    (logging,) = resources(synthesize(RICH)["Firewall"], "AWS::WAFv2::LoggingConfiguration")
    assert logging["RedactedFields"] == [{"SingleHeader": {"Name": "authorization"}}]
    (group,) = resources(synthesize(RICH)["Firewall"], "AWS::Logs::LogGroup")
    assert group["LogGroupName"].startswith("aws-waf-logs-")


def test_an_environment_can_have_no_firewall() -> None:
    stacks = synthesize(PLAIN)
    assert "Firewall" not in stacks
    (found,) = resources(stacks["Web"], "AWS::CloudFront::Distribution")
    assert "WebACLId" not in found["DistributionConfig"]


def test_the_placeholder_page_links_to_the_api() -> None:
    page = (EDGE / "index.html").read_text()
    assert 'href="/api/health"' in page
    assert "<script" not in page  # the content security policy would block it


def test_the_entry_page_is_not_cached_and_deployed_after_its_assets_which_are_kept(
    template: Template,
) -> None:
    found = template.find_resources("Custom::CDKBucketDeployment")
    (entry,) = [name for name, each in found.items() if "Include" in each["Properties"]]
    (assets,) = found.keys() - {entry}
    assert assets in found[entry]["DependsOn"]
    copied = {name: each["Properties"] for name, each in found.items()}
    unhashed = ["index.html", "favicon.svg"]
    assert copied[entry]["Include"] == [*unhashed, "config.json"]
    assert copied[assets]["Exclude"] == unhashed
    caches = {name: each["SystemMetadata"]["cache-control"] for name, each in copied.items()}
    assert caches == {entry: "no-cache", assets: "max-age=31536000, immutable"}
    assert all(each["Prune"] is False for each in copied.values())


def test_edge_functions_are_within_cloudfronts_size_limit() -> None:
    assert all(len(Path(EDGE / name).read_bytes()) < 10_240 for name in ("api.js", "page.js"))
