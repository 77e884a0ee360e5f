mock_provider "aws" {}

variables {
  name   = "shop-stg.internal"
  vpc_id = "vpc-1"
}

run "names_are_known_in_the_vpc_alone" {
  command = apply

  assert {
    condition     = aws_service_discovery_private_dns_namespace.this.vpc == "vpc-1" && output.domain == "shop-stg.internal" && output.namespace_id == aws_service_discovery_private_dns_namespace.this.id
    error_message = "the zone is private"
  }

  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.client) == 0
    error_message = "a name opens no port"
  }
}

run "a_client_may_connect_to_that_port" {
  command = plan

  variables {
    connections = { "web from job" = { from_group = "sg-job", to_group = "sg-web", port = 8000 } }
  }

  assert {
    condition = aws_vpc_security_group_ingress_rule.client["web from job"].security_group_id == "sg-web" && aws_vpc_security_group_ingress_rule.client["web from job"].referenced_security_group_id == "sg-job" && (
      aws_vpc_security_group_ingress_rule.client["web from job"].from_port == 8000 && aws_vpc_security_group_ingress_rule.client["web from job"].to_port == 8000
    )
    error_message = "only the client comes in, on that port"
  }
}
