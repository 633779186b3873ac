"""Sign-in: authorization code with PKCE against a stand-in for Cognito that validates requests."""

import base64
import hashlib
import json
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from local.system import System

pytestmark = pytest.mark.slow

DOMAIN = "https://sentiment.auth.example.com"
ISSUER = "https://cognito-idp.example.com/pool"
SCOPES = ["openid", "email", "sentiment/predict"]


def token(**claims: Any) -> str:
    """Return an unsigned token; the page trusts the TLS connection."""
    header, body = ({"alg": "none"}, {"iss": ISSUER, "aud": "page", "sub": "s", **claims})
    parts = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, body)
    )
    return ".".join([*parts, "signature"])


class Cognito:
    """Serves the two endpoints that the page uses, and keeps the challenge between them."""

    def __init__(self, page: Page) -> None:
        self.challenge = ""
        self.seconds, self.renewed = 3600, 0
        self.parameters: dict[str, list[str]] = {}
        page.route(f"{DOMAIN}/oauth2/authorize**", self.authorize)
        page.route(f"{DOMAIN}/oauth2/token", self.exchange)

    def authorize(self, route: Route) -> None:
        self.parameters = parse_qs(urlsplit(route.request.url).query)
        self.challenge = self.parameters["code_challenge"][0]
        back = f"{self.parameters['redirect_uri'][0]}?code=the-code&state={self.parameters['state'][0]}"
        # Not a 302: the browser would follow it without this test's route handlers.
        route.fulfill(content_type="text/html", body=f"<script>location.assign({json.dumps(back)})</script>")

    def exchange(self, route: Route) -> None:
        form = parse_qs(route.request.post_data or "")
        if form["grant_type"] == ["refresh_token"]:
            assert (form["refresh_token"], form["client_id"]) == (["for-a-day"], ["page"])
            self.renewed += 1
            self.issue(route, "renewed")
            return
        digest = hashlib.sha256(form["code_verifier"][0].encode()).digest()
        assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == self.challenge
        assert (form["code"], form["client_id"]) == (["the-code"], ["page"])
        assert "client_secret" not in form
        self.issue(route, "access-token", refresh_token="for-a-day")

    def issue(self, route: Route, access_token: str, **more: str) -> None:
        now = int(time.time())
        route.fulfill(
            headers={"access-control-allow-origin": "*"},
            json={
                "access_token": access_token,
                "id_token": token(email="ann@example.com", iat=now, exp=now + 3600),
                "token_type": "Bearer",
                "expires_in": self.seconds,
                **more,
            },
        )


@pytest.fixture
def cognito(page: Page) -> Cognito:
    """Enable sign-in with config.json and the CSP, as the stack does."""
    sign_in = {"authority": ISSUER, "domain": DOMAIN, "client_id": "page", "scopes": SCOPES}

    def with_domain(route: Route) -> None:
        response = route.fetch()
        headers = {**response.headers}
        headers["content-security-policy"] = headers["content-security-policy"].replace(
            "connect-src 'self'", f"connect-src 'self' {DOMAIN}"
        )
        route.fulfill(response=response, headers=headers)

    page.route("**/config.json", lambda route: route.fulfill(json={"sign_in": sign_in}))
    page.route(lambda url: urlsplit(url).path in ("/", "/watch"), with_domain)
    return Cognito(page)


def expire_token(page: Page, cognito: Cognito) -> None:
    """Sign in on Watch, with a token of one second."""
    cognito.seconds = 1
    page.goto("/watch?hours=1")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Monitoring")).to_be_visible()
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(1500)


def test_nothing_is_shown_or_requested_before_sign_in(page: Page, cognito: Cognito) -> None:
    requests: list[str] = []
    page.on("request", lambda request: requests.append(urlsplit(request.url).path))
    page.goto("/watch?hours=1")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert not [path for path in requests if path.startswith("/api")]


def test_sign_in_returns_to_the_same_url_and_requests_carry_the_token(page: Page, cognito: Cognito) -> None:
    sent: list[str | None] = []
    page.on(
        "request",
        lambda request: sent.append(request.headers.get("authorization")) if "/api/" in request.url else None,
    )
    page.goto("/watch?hours=1")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Monitoring")).to_be_visible()
    assert urlsplit(page.url).path == "/watch"
    assert "code=" not in page.url
    assert cognito.parameters["code_challenge_method"] == ["S256"]
    assert cognito.parameters["scope"] == [" ".join(SCOPES)]
    page.wait_for_load_state("networkidle")
    assert sent
    assert set(sent) == {"Bearer access-token"}

    # A code works once: its URL asks to sign in again instead of showing an error forever.
    page.goto("/?code=spent&state=unknown")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.get_by_text("Sign-in failed")).to_be_visible()
    assert "code=" not in page.url
    page.goto("/")

    page.route(f"{DOMAIN}/logout**", lambda route: route.fulfill(body="bye"))
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{DOMAIN}/logout**")
    page.goto("/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_an_expired_token_is_renewed_once_for_all_requests(page: Page, cognito: Cognito) -> None:
    expire_token(page, cognito)
    cognito.seconds, before = 3600, cognito.renewed
    sent: set[str | None] = set()
    page.on(
        "request",
        lambda request: sent.add(request.headers.get("authorization")) if "/api/" in request.url else None,
    )
    with page.expect_response("**/reports/deployments**"), page.expect_response("**/reports/summary**"):
        page.get_by_role("button", name="Refresh").click()
    assert sent == {"Bearer renewed"}
    assert cognito.renewed == before + 1
    page.reload()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def test_a_rejected_request_offers_sign_in_and_keeps_the_input(page: Page, cognito: Cognito) -> None:
    page.goto("/")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Review").fill("A fine film")
    page.route("**/api/**", lambda route: route.fulfill(status=401, json={"message": "Unauthorized"}))
    page.keyboard.press("Control+Enter")
    error = page.get_by_role("alert").first
    expect(error).to_contain_text("not signed in, or your session has expired")
    page.unroute("**/api/**")
    error.get_by_role("button", name="Sign in").click()
    expect(page.get_by_label("Review")).to_have_value("A fine film")
    page.get_by_role("button", name="Classify", exact=True).click()
    expect(page.get_by_test_id("answer")).to_contain_text("confidence")


def test_a_renewal_without_a_response_does_not_sign_out(page: Page, cognito: Cognito) -> None:
    expire_token(page, cognito)

    def abort(route: Route) -> None:
        route.abort()

    page.route(f"{DOMAIN}/oauth2/token", abort)
    page.get_by_role("button", name="Refresh").click()
    expect(page.get_by_role("alert").first).to_contain_text("cannot be reached")
    page.unroute(f"{DOMAIN}/oauth2/token", abort)
    cognito.seconds = 3600
    page.get_by_role("button", name="Refresh").click()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_sign_out_sends_held_labels_and_clears_the_tab_s_storage(
    page: Page, system: System, cognito: Cognito
) -> None:
    page.goto("/")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Review").fill("xkcd frob 99 ???")
    page.get_by_role("button", name="Classify", exact=True).click()
    expect(page.get_by_test_id("answer")).to_contain_text("confidence")
    assert system.event_source.drain(30) == 0
    page.get_by_role("link", name="Review").click()
    expect(page.get_by_test_id("review-item")).to_be_visible()
    page.keyboard.press("1")
    page.route(f"{DOMAIN}/logout**", lambda route: route.fulfill(body="bye"))
    with page.expect_request("**/feedback") as sent:
        page.get_by_role("button", name="Sign out").click()
    assert sent.value.headers["authorization"] == "Bearer access-token"
    page.wait_for_url(f"{DOMAIN}/logout**")
    page.goto("/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert page.evaluate("Object.keys(sessionStorage)") == []
