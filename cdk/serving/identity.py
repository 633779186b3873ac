"""Authorization: a Cognito user pool, clients for machines and the page, and a scope per kind of request.

A machine exchanges its client id and secret for a token that is valid for an hour. Users, who must be
invited, sign in on the page by authorization code with PKCE. That requires `web_domain`: Cognito redirects
only to registered URLs, and the distribution is created after the API. API Gateway checks the token before
any function runs.
"""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cognito as cognito
from aws_cdk.aws_apigatewayv2_authorizers import HttpJwtAuthorizer
from constructs import Construct

from cdk.acknowledgments import acknowledge
from cdk.environments import Environment
from cdk.retention import removal_policy

RESOURCE_SERVER = "sentiment"
SCOPES = {
    "predict": "Classify and explain texts",
    "feedback": "Send feedback on predictions",
    "reports": "Read stored predictions and reports",
    "operate": "Read the model card and metrics",
}


class Identity(Construct):
    """The user pool, its clients, and the authorizer of the HTTP API."""

    def __init__(self, scope: Construct, id: str, *, environment: Environment) -> None:
        super().__init__(scope, id)
        self.user_pool = cognito.UserPool(
            self,
            "Users",
            self_sign_up_enabled=False,
            mfa=cognito.Mfa.REQUIRED,
            mfa_second_factor=cognito.MfaSecondFactor(otp=True, sms=False),
            password_policy=cognito.PasswordPolicy(
                min_length=14,
                require_digits=True,
                require_lowercase=True,
                require_symbols=True,
                require_uppercase=True,
            ),
            deletion_protection=environment.keep_data,
            removal_policy=removal_policy(environment),
        )
        acknowledge(
            self.user_pool,
            {
                "AwsSolutions-COG3": "Threat protection needs the Plus plan; users are invited one by one, "
                "and must use a second factor.",
                "AwsSolutions-COG8": "The Plus plan costs more per month than the rest of the sign-in.",
            },
        )
        scopes = [
            cognito.ResourceServerScope(scope_name=name, scope_description=text)
            for name, text in SCOPES.items()
        ]
        server = self.user_pool.add_resource_server("Server", identifier=RESOURCE_SERVER, scopes=scopes)
        self.client = self.user_pool.add_client(
            "Machine",
            generate_secret=True,
            access_token_validity=cdk.Duration.hours(1),
            o_auth=cognito.OAuthSettings(
                flows=cognito.OAuthFlows(client_credentials=True),
                scopes=[cognito.OAuthScope.resource_server(server, scope) for scope in scopes],
            ),
        )
        self.page_client = environment.web_domain and self.user_pool.add_client(
            "Page",
            generate_secret=False,  # a browser cannot keep one; PKCE replaces it
            access_token_validity=cdk.Duration.hours(1),
            refresh_token_validity=cdk.Duration.days(1),
            prevent_user_existence_errors=True,
            o_auth=cognito.OAuthSettings(
                flows=cognito.OAuthFlows(authorization_code_grant=True),
                scopes=[
                    cognito.OAuthScope.OPENID,
                    cognito.OAuthScope.EMAIL,
                    *(cognito.OAuthScope.resource_server(server, scope) for scope in scopes),
                ],
                callback_urls=[f"https://{environment.web_domain}/"],
                logout_urls=[f"https://{environment.web_domain}/"],
            ),
        )
        # The domain must be unique in a region, so it contains the account id.
        domain = self.user_pool.add_domain(
            "Domain",
            cognito_domain=cognito.CognitoDomainOptions(
                domain_prefix=f"sentiment-{environment.name}-{cdk.Aws.ACCOUNT_ID}"
            ),
        )
        self.domain_url = domain.base_url()
        self.token_url = f"{self.domain_url}/oauth2/token"
        clients = [client for client in (self.client, self.page_client) if client]
        self.authorizer = HttpJwtAuthorizer(
            "Machines",
            self.user_pool.user_pool_provider_url,
            jwt_audience=[client.user_pool_client_id for client in clients],
        )

    def sign_in(self) -> dict[str, Any] | None:
        """Return what the page needs for sign-in (web/src/session); None without a domain."""
        if not self.page_client:
            return None
        return {
            "authority": self.user_pool.user_pool_provider_url,
            "domain": self.domain_url,
            "client_id": self.page_client.user_pool_client_id,
            "scopes": ["openid", "email", *(f"{RESOURCE_SERVER}/{scope}" for scope in SCOPES)],
        }
