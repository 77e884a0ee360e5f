mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }

  mock_data "aws_caller_identity" {
    defaults = { account_id = "111111111111" }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111111111111:role/mock" }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:ap-northeast-1:111111111111:log-group:/shop-stg/flow-logs" }
  }
}

variables {
  name         = "shop-stg"
  region       = "ap-northeast-1"
  cidr         = "10.1.0.0/16"
  zones        = ["a", "c", "d"]
  nat_gateways = 2
}

run "two_nat_gateways_serve_three_zones" {
  command = apply

  assert {
    condition     = [for zone in ["a", "c", "d"] : aws_subnet.public[zone].cidr_block] == ["10.1.0.0/20", "10.1.16.0/20", "10.1.32.0/20"]
    error_message = "public subnets are the first parts of the range, in the order of the zones"
  }

  assert {
    condition     = [for zone in ["a", "c", "d"] : aws_subnet.private[zone].cidr_block] == ["10.1.128.0/20", "10.1.144.0/20", "10.1.160.0/20"]
    error_message = "private subnets are in the upper half of the range"
  }

  assert {
    condition     = [for zone in ["a", "c", "d"] : aws_subnet.database[zone].cidr_block] == ["10.1.96.0/22", "10.1.100.0/22", "10.1.104.0/22"]
    error_message = "database subnets are between the public and the private ones, a quarter of their size"
  }

  assert {
    condition     = aws_subnet.private["d"].availability_zone == "ap-northeast-1d"
    error_message = "a zone is the region with its letter"
  }

  assert {
    condition     = keys(aws_nat_gateway.this) == ["a", "c"]
    error_message = "the first zones get the NAT gateways"
  }

  assert {
    condition = [for zone in ["a", "c", "d"] : aws_route.nat[zone].nat_gateway_id] == [
      aws_nat_gateway.this["a"].id, aws_nat_gateway.this["c"].id, aws_nat_gateway.this["a"].id
    ]
    error_message = "a zone uses its own gateway; one without takes another's"
  }

  assert {
    condition     = output.private_subnets == [for zone in ["a", "c", "d"] : aws_subnet.private[zone].id]
    error_message = "subnets come out in the order of the zones"
  }

  assert {
    condition     = output.database_subnets == [for zone in ["a", "c", "d"] : aws_subnet.database[zone].id]
    error_message = "database subnets too"
  }

  assert {
    condition     = alltrue([for association in values(aws_route_table_association.database) : association.route_table_id == aws_route_table.database.id])
    error_message = "database subnets have a table of their own"
  }

  assert {
    condition     = !contains([for route in values(aws_route.nat) : route.route_table_id], aws_route_table.database.id) && aws_route.internet.route_table_id != aws_route_table.database.id
    error_message = "nothing leads from a database subnet to the internet"
  }

  assert {
    condition     = output.nat_addresses == [aws_eip.nat["a"].public_ip, aws_eip.nat["c"].public_ip]
    error_message = "the addresses are known that others see"
  }

  assert {
    condition     = length(aws_flow_log.this) == 0 && length(aws_vpc_endpoint.interface) == 0 && length(aws_vpc_endpoint.gateway) == 0 && length(aws_security_group.endpoints) == 0
    error_message = "what was not asked for is not there"
  }
}

run "one_nat_gateway_serves_all_zones" {
  command = apply

  variables {
    nat_gateways = 1
  }

  assert {
    condition     = keys(aws_eip.nat) == ["a"] && one(distinct(values(aws_route.nat)[*].nat_gateway_id)) == aws_nat_gateway.this["a"].id
    error_message = "every private subnet goes out through the one gateway"
  }
}

run "no_nat_gateway_means_no_way_out_of_the_private_subnets" {
  command = plan

  variables {
    nat_gateways = 0
  }

  assert {
    condition     = length(aws_route.nat) == 0 && length(aws_eip.nat) == 0 && length(aws_subnet.private) == 3
    error_message = "private subnets stay, without a route to the internet"
  }
}

run "the_largest_number_of_zones_fits_the_smallest_range" {
  command = plan

  variables {
    cidr         = "10.1.0.0/22"
    zones        = ["a", "b", "c", "d", "e", "f"]
    nat_gateways = 0
  }

  assert {
    condition     = length(distinct(concat(values(aws_subnet.public)[*].cidr_block, values(aws_subnet.private)[*].cidr_block))) == 12
    error_message = "six public and six private subnets"
  }

  assert {
    condition     = aws_subnet.public["f"].cidr_block == "10.1.1.64/26" && aws_subnet.database["a"].cidr_block == "10.1.1.128/28" && aws_subnet.database["f"].cidr_block == "10.1.1.208/28" && aws_subnet.private["a"].cidr_block == "10.1.2.0/26"
    error_message = "database subnets begin behind the public ones, end before the private ones, and are as small as AWS allows"
  }
}

run "flow_logs_go_to_cloudwatch" {
  command = apply

  variables {
    flow_logs = { retention_days = 90 }
  }

  assert {
    condition     = aws_flow_log.this["this"].traffic_type == "ALL" && aws_flow_log.this["this"].max_aggregation_interval == 600
    error_message = "all traffic, by ten minutes"
  }

  assert {
    condition     = aws_flow_log.this["this"].log_destination == aws_cloudwatch_log_group.flow_logs["this"].arn && aws_flow_log.this["this"].iam_role_arn == aws_iam_role.flow_logs["this"].arn
    error_message = "they are written to our group by our role"
  }

  assert {
    condition     = aws_cloudwatch_log_group.flow_logs["this"].retention_in_days == 90 && aws_cloudwatch_log_group.flow_logs["this"].name == "/shop-stg/flow-logs"
    error_message = "the group is named after the VPC and forgets in time"
  }

  assert {
    condition     = data.aws_iam_policy_document.flow_logs["this"].statement[0].resources == toset(["arn:aws:logs:ap-northeast-1:111111111111:log-group:/shop-stg/flow-logs:*"])
    error_message = "the role writes to that group alone"
  }

  assert {
    condition     = one(one(data.aws_iam_policy_document.flow_logs_trust["this"].statement[0].principals).identifiers) == "vpc-flow-logs.amazonaws.com"
    error_message = "only VPC flow logs take the role"
  }

  assert {
    condition     = one(data.aws_iam_policy_document.flow_logs_trust["this"].statement[0].condition).values == tolist(["111111111111"])
    error_message = "and only for this account"
  }
}

run "endpoints_keep_pulls_and_logs_off_the_internet" {
  command = apply

  variables {
    endpoints = ["s3", "ecr.api", "ecr.dkr", "logs"]
  }

  assert {
    condition     = keys(aws_vpc_endpoint.gateway) == ["s3"] && aws_vpc_endpoint.gateway["s3"].service_name == "com.amazonaws.ap-northeast-1.s3"
    error_message = "S3 is a gateway"
  }

  assert {
    condition = aws_vpc_endpoint.gateway["s3"].route_table_ids == toset(concat(
      [aws_route_table.public.id, aws_route_table.database.id], values(aws_route_table.private)[*].id
    ))
    error_message = "every subnet has the route to S3"
  }

  assert {
    condition     = keys(aws_vpc_endpoint.interface) == ["ecr.api", "ecr.dkr", "logs"] && alltrue(values(aws_vpc_endpoint.interface)[*].private_dns_enabled)
    error_message = "the others are interfaces under the names that programs know"
  }

  assert {
    condition     = aws_vpc_endpoint.interface["logs"].subnet_ids == toset(output.private_subnets)
    error_message = "they have an address in each private subnet"
  }

  assert {
    condition     = aws_vpc_endpoint.interface["logs"].security_group_ids == toset([aws_security_group.endpoints[0].id])
    error_message = "they are in the endpoints' group"
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.endpoints[0].cidr_ipv4 == "10.1.0.0/16" && aws_vpc_security_group_ingress_rule.endpoints[0].from_port == 443
    error_message = "the VPC alone comes in, by HTTPS"
  }
}
