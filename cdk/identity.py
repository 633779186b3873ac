"""Who may call: a Cognito user pool whose one client is a machine, and a scope for each kind of call.

Nobody has a user name here. A caller exchanges the client's id and secret for a token of an hour, and API
Gateway checks the token before any function runs.
"""

import aws_cdk as cdk
from aws_cdk import aws_cognito as cognito
from aws_cdk.aws_apigatewayv2_authorizers import HttpJwtAuthorizer
from constructs import Construct

from cdk.acknowledgments import acknowledge
from cdk.environments import Environment
from cdk.packaging import removal_policy

RESOURCE_SERVER = "sentiment"
SCOPES = {
    "predict": "Classify and explain texts",
    "feedback": "Say whether a prediction was right",
    "reports": "Read what was stored",
    "operate": "Read the model card and metrics",
}


class Identity(Construct):
    """The user pool, its machine client, and the authorizer of the HTTP API."""

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
                "AwsSolutions-COG3": "Threat protection watches users type passwords; this pool has none, "
                "only a client whose secret Cognito made.",
                "AwsSolutions-COG8": "The Plus plan protects users' sign-in, and there are no users.",
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
        # Token addresses are unique in a region, so the account's number makes it so.
        domain = self.user_pool.add_domain(
            "Domain",
            cognito_domain=cognito.CognitoDomainOptions(
                domain_prefix=f"sentiment-{environment.name}-{cdk.Aws.ACCOUNT_ID}"
            ),
        )
        self.token_url = f"{domain.base_url()}/oauth2/token"
        self.authorizer = HttpJwtAuthorizer(
            "Machines",
            self.user_pool.user_pool_provider_url,
            jwt_audience=[self.client.user_pool_client_id],
        )
