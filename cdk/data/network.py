"""The network of everything that touches Postgres: isolated subnets, and no way out but to named services.

There is no NAT: it would cost more than the rest of an idle system, and nothing in here calls the internet.
"""

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_logs as logs
from constructs import Construct

from cdk.environments import Environment


class Network(Construct):
    """A VPC in two zones, the group that its functions share, and the endpoints that they call."""

    def __init__(self, scope: Construct, id: str, *, environment: Environment, log: logs.ILogGroup) -> None:
        super().__init__(scope, id)
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            max_azs=2,
            nat_gateways=0,
            subnet_configuration=[
                ec2.SubnetConfiguration(
                    name="data", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=24
                )
            ],
            gateway_endpoints={
                "S3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3)
            },
            # No rule of ours mentions the default group; emptying it would take a function of CDK's own.
            restrict_default_security_group=False,
        )
        self.vpc.add_flow_log(
            "Refused",
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(log),
            traffic_type=ec2.FlowLogTrafficType.REJECT,
        )
        self.clients = ec2.SecurityGroup(
            self,
            "Clients",
            vpc=self.vpc,
            description="Functions that use Postgres",
            allow_all_outbound=False,
        )
        # S3's addresses are public ones behind the gateway endpoint; no route leads anywhere else.
        self.clients.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "S3 and the interface endpoints")
        self._endpoint("Sns", ec2.InterfaceVpcEndpointAwsService.SNS, environment)
        self._endpoint("Secrets", ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER, environment)
        if environment.on_drift == "retrain":
            self._endpoint("StepFunctions", ec2.InterfaceVpcEndpointAwsService.STEP_FUNCTIONS, environment)

    def _endpoint(
        self, id: str, service: ec2.InterfaceVpcEndpointAwsService, environment: Environment
    ) -> None:
        """Put a service into as many zones as the environment pays for, open to our functions alone."""
        group = ec2.SecurityGroup(
            self, f"{id}Access", vpc=self.vpc, description=f"Who may call {id}", allow_all_outbound=False
        )
        group.add_ingress_rule(self.clients, ec2.Port.tcp(443), "Functions that use Postgres")
        self.vpc.add_interface_endpoint(
            id,
            service=service,
            open=False,
            security_groups=[group],
            subnets=ec2.SubnetSelection(subnets=self.vpc.isolated_subnets[: environment.endpoint_zones]),
        )
