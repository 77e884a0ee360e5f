# Every validation refuses. The variables alone are asked: that needs no provider, and takes no time.
variables {
  name         = "shop-stg"
  region       = "ap-northeast-1"
  cidr         = "10.1.0.0/16"
  zones        = ["a", "c", "d"]
  nat_gateways = 2
}

run "a_range_that_is_too_small_and_a_zone_named_twice_are_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    cidr         = "10.1.0.0/28"
    zones        = ["a", "a"]
    nat_gateways = 0
  }

  expect_failures = [var.cidr, var.zones]
}

run "a_single_zone_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    zones        = ["a"]
    nat_gateways = 0
  }

  expect_failures = [var.zones]
}

run "a_zone_is_a_letter" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    zones        = ["a", "ap-northeast-1c"]
    nat_gateways = 0
  }

  expect_failures = [var.zones]
}

run "a_name_and_a_region_that_aws_does_not_take_are_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    name   = "Shop"
    region = "tokyo"
  }

  expect_failures = [var.name, var.region]
}

run "more_nat_gateways_than_zones_are_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    nat_gateways = 4
  }

  expect_failures = [var.nat_gateways]
}

run "an_endpoint_by_its_whole_name_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    endpoints = ["com.amazonaws.ap-northeast-1.logs"]
  }

  expect_failures = [var.endpoints]
}

run "an_endpoint_for_pulls_that_could_not_pull_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    endpoints = ["ecr.dkr", "ecr.api"]
  }

  expect_failures = [var.endpoints]
}

run "flow_logs_of_no_traffic_are_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    flow_logs = { traffic = "NONE" }
  }

  expect_failures = [var.flow_logs]
}

run "flow_logs_by_another_interval_are_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    flow_logs = { interval_seconds = 300 }
  }

  expect_failures = [var.flow_logs]
}

run "flow_logs_kept_for_a_time_that_cloudwatch_does_not_know_are_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    flow_logs = { retention_days = 8 }
  }

  expect_failures = [var.flow_logs]
}
