mock_provider "aws" {}

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

run "nonsense_is_refused" {
  command = plan

  variables {
    cidr  = "10.1.0.0/28"
    zones = ["a", "a"]
  }

  expect_failures = [var.cidr, var.zones]
}

run "more_nat_gateways_than_zones_are_refused" {
  command = plan

  variables {
    nat_gateways = 4
  }

  expect_failures = [var.nat_gateways]
}
