"""The VPC of everything that uses Postgres: isolated subnets, with endpoints for the services it calls.

There is no NAT: it would cost more than the rest of an idle system, and nothing here calls the internet.
"""

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_logs as logs
from constructs import Construct

from cdk.environments import Environment


class Network(Construct):
    """A VPC in two zones, the security group of its functions, and the endpoints that they call."""

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
            # Nothing uses the default group; CDK would need a function of its own to empty it.
            restrict_default_security_group=False,
        )
        self.vpc.add_flow_log(
            "RejectedTraffic",
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
        # S3 has public addresses behind the gateway endpoint; there is no route to any other.
        self.clients.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "S3 and the interface endpoints")
        self._endpoint("Sns", ec2.InterfaceVpcEndpointAwsService.SNS, environment)
        self._endpoint("Secrets", ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER, environment)
        if environment.on_drift == "retrain":
            self._endpoint("StepFunctions", ec2.InterfaceVpcEndpointAwsService.STEP_FUNCTIONS, environment)

    def _endpoint(
        self, id: str, service: ec2.InterfaceVpcEndpointAwsService, environment: Environment
    ) -> None:
        """Add an endpoint in as many zones as configured, open to our functions only."""
        group = ec2.SecurityGroup(
            self,
            f"{id}Access",
            vpc=self.vpc,
            description=f"Access to the {id} endpoint",
            allow_all_outbound=False,
        )
        group.add_ingress_rule(self.clients, ec2.Port.tcp(443), "Functions that use Postgres")
        self.vpc.add_interface_endpoint(
            id,
            service=service,
            open=False,
            security_groups=[group],
            subnets=ec2.SubnetSelection(subnets=self.vpc.isolated_subnets[: environment.endpoint_zones]),
        )
