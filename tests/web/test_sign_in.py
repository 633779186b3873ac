"""Signing in: authorization code with PKCE against a stand-in for Cognito that checks what it is sent."""

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
    """Return an unsigned token: who vouches for it is the connection that it came over."""
    header, body = ({"alg": "none"}, {"iss": ISSUER, "aud": "page", "sub": "s", **claims})
    parts = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, body)
    )
    return ".".join([*parts, "signature"])


class Cognito:
    """Answers the two addresses that the page uses, and remembers the challenge between them."""

    def __init__(self, page: Page) -> None:
        self.challenge = ""
        self.seconds, self.renewed = 3600, 0
        self.asked: dict[str, list[str]] = {}
        page.route(f"{DOMAIN}/oauth2/authorize**", self.authorize)
        page.route(f"{DOMAIN}/oauth2/token", self.exchange)

    def authorize(self, route: Route) -> None:
        self.asked = parse_qs(urlsplit(route.request.url).query)
        self.challenge = self.asked["code_challenge"][0]
        back = f"{self.asked['redirect_uri'][0]}?code=the-code&state={self.asked['state'][0]}"
        # Not a 302: the browser would follow that one past the handlers of this test.
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
        self.issue(route, "of-somebody", refresh_token="for-a-day")

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
    """Have the page told, as the stack's config.json and policy do, that people sign in."""
    sign_in = {"authority": ISSUER, "domain": DOMAIN, "client_id": "page", "scopes": SCOPES}

    def with_domain(route: Route) -> None:
        answer = route.fetch()
        headers = {**answer.headers}
        headers["content-security-policy"] = headers["content-security-policy"].replace(
            "connect-src 'self'", f"connect-src 'self' {DOMAIN}"
        )
        route.fulfill(response=answer, headers=headers)

    page.route("**/config.json", lambda route: route.fulfill(json={"sign_in": sign_in}))
    page.route(lambda url: urlsplit(url).path in ("/", "/watch"), with_domain)
    return Cognito(page)


def let_the_token_run_out(page: Page, cognito: Cognito) -> None:
    """Sign in on Watch, with a token of one second."""
    cognito.seconds = 1
    page.goto("/watch?hours=1")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="What it does")).to_be_visible()
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(1500)


def test_nothing_is_shown_or_asked_before_somebody_signed_in(page: Page, cognito: Cognito) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(urlsplit(request.url).path))
    page.goto("/watch?hours=1")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert not [path for path in asked if path.startswith("/api")]


def test_somebody_signs_in_comes_back_to_the_place_and_asks_with_a_token(
    page: Page, cognito: Cognito
) -> None:
    sent: list[str | None] = []
    page.on(
        "request",
        lambda request: sent.append(request.headers.get("authorization")) if "/api/" in request.url else None,
    )
    page.goto("/watch?hours=1")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="What it does")).to_be_visible()
    assert urlsplit(page.url).path == "/watch"
    assert "code=" not in page.url
    assert cognito.asked["code_challenge_method"] == ["S256"]
    assert cognito.asked["scope"] == [" ".join(SCOPES)]
    page.wait_for_load_state("networkidle")
    assert sent
    assert set(sent) == {"Bearer of-somebody"}

    # A code is good once: who goes back to its address is asked to sign in, and not shown an error for ever.
    page.goto("/?code=spent&state=unknown")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.get_by_text("did not work")).to_be_visible()
    assert "code=" not in page.url
    page.goto("/")

    page.route(f"{DOMAIN}/logout**", lambda route: route.fulfill(body="bye"))
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{DOMAIN}/logout**")
    page.goto("/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_token_that_ran_out_is_renewed_once_for_all_who_wait(page: Page, cognito: Cognito) -> None:
    let_the_token_run_out(page, cognito)
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


def test_who_is_refused_is_asked_to_sign_in_again_and_loses_nothing(page: Page, cognito: Cognito) -> None:
    page.goto("/")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Review").fill("A fine film")
    page.route("**/api/**", lambda route: route.fulfill(status=401, json={"message": "Unauthorized"}))
    page.keyboard.press("Control+Enter")
    refusal = page.get_by_role("alert").first
    expect(refusal).to_contain_text("not signed in, or no longer")
    page.unroute("**/api/**")
    refusal.get_by_role("button", name="Sign in").click()
    expect(page.get_by_label("Review")).to_have_value("A fine film")
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_test_id("answer")).to_contain_text("confidence")


def test_a_renewal_that_gets_no_answer_signs_nobody_out(page: Page, cognito: Cognito) -> None:
    let_the_token_run_out(page, cognito)

    def silent(route: Route) -> None:
        route.abort()

    page.route(f"{DOMAIN}/oauth2/token", silent)
    page.get_by_role("button", name="Refresh").click()
    expect(page.get_by_role("alert").first).to_contain_text("cannot be reached")
    page.unroute(f"{DOMAIN}/oauth2/token", silent)
    cognito.seconds = 3600
    page.get_by_role("button", name="Refresh").click()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_signing_out_sends_what_is_held_and_leaves_nothing_in_the_tab(
    page: Page, system: System, cognito: Cognito
) -> None:
    page.goto("/")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Review").fill("xkcd frob 99 ???")
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_test_id("answer")).to_contain_text("confidence")
    assert system.event_source.drain(30) == 0
    page.get_by_role("link", name="Review").click()
    expect(page.get_by_test_id("review-item")).to_be_visible()
    page.keyboard.press("1")
    page.route(f"{DOMAIN}/logout**", lambda route: route.fulfill(body="bye"))
    with page.expect_request("**/feedback") as sent:
        page.get_by_role("button", name="Sign out").click()
    assert sent.value.headers["authorization"] == "Bearer of-somebody"
    page.wait_for_url(f"{DOMAIN}/logout**")
    page.goto("/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert page.evaluate("Object.keys(sessionStorage)") == []
