# Every validation refuses. The variables alone are asked: that needs no provider, and takes no time.
variables {
  name                = "shop-stg"
  vpc_id              = "vpc-1"
  vpc_cidr            = "10.1.0.0/16"
  subnets             = ["subnet-1", "subnet-2"]
  deletion_protection = true

  targets = {
    web = {
      port                         = 80
      deregistration_delay_seconds = 7
      health_check                 = { path = "/healthz", matcher = "200", interval_seconds = 10, timeout_seconds = 5, healthy_threshold = 2, unhealthy_threshold = 3 }
    }
    api = {
      port                         = 8080
      deregistration_delay_seconds = 30
      health_check                 = { path = "/", matcher = "200", interval_seconds = 10, timeout_seconds = 5, healthy_threshold = 2, unhealthy_threshold = 3 }
      route                        = { priority = 10, paths = ["/api/*"] }
    }
  }
}

run "names_addresses_and_policies_that_aws_does_not_take_are_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    name                 = "internal-shop"
    vpc_cidr             = "10.1.0.0"
    subnets              = ["subnet-1"]
    clients              = ["everybody"]
    tls_policy           = "ELBSecurityPolicy-2016-08"
    idle_timeout_seconds = 0
    certificate_arn      = "certificate/1"
    web_acl_arn          = "shop"
    access_logs          = { retention_days = 0 }
  }

  expect_failures = [
    var.name, var.vpc_cidr, var.subnets, var.clients, var.tls_policy, var.idle_timeout_seconds, var.certificate_arn, var.web_acl_arn, var.access_logs,
  ]
}

run "a_zone_that_is_none_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    dns = { zone_id = "example.com", names = ["shop.example.com"] }
  }

  expect_failures = [var.dns]
}

run "a_name_twice_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    dns = { zone_id = "Z0123456789", names = ["shop.example.com", "shop.example.com"] }
  }

  expect_failures = [var.dns]
}

run "a_url_is_no_name" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    dns = { zone_id = "Z0123456789", names = ["https://shop.example.com"] }
  }

  expect_failures = [var.dns]
}

run "a_test_listener_without_blue_green_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    test_listener = { clients = ["203.0.113.0/24"] }
  }

  expect_failures = [var.test_listener]
}

run "a_test_listener_on_port_443_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    test_listener = { port = 443, clients = ["203.0.113.0/24"] }

    targets = {
      web = {
        port                         = 80
        deregistration_delay_seconds = 30
        health_check                 = { path = "/", matcher = "200", interval_seconds = 10, timeout_seconds = 5, healthy_threshold = 2, unhealthy_threshold = 3 }
        blue_green                   = true
      }
    }
  }

  expect_failures = [var.test_listener]
}

run "a_test_listener_for_somebody_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    test_listener = { clients = ["office"] }

    targets = {
      web = {
        port                         = 80
        deregistration_delay_seconds = 30
        health_check                 = { path = "/", matcher = "200", interval_seconds = 10, timeout_seconds = 5, healthy_threshold = 2, unhealthy_threshold = 3 }
        blue_green                   = true
      }
    }
  }

  expect_failures = [var.test_listener]
}

run "two_defaults_are_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    targets = {
      web = {
        port                         = 80
        deregistration_delay_seconds = 30
        health_check                 = { path = "/", matcher = "200", interval_seconds = 10, timeout_seconds = 5, healthy_threshold = 2, unhealthy_threshold = 3 }
      }
      api = {
        port                         = 80
        deregistration_delay_seconds = 30
        health_check                 = { path = "/", matcher = "200", interval_seconds = 10, timeout_seconds = 5, healthy_threshold = 2, unhealthy_threshold = 3 }
      }
    }
  }

  expect_failures = [var.targets]
}

run "a_target_group_s_name_that_does_not_fit_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    targets = {
      a-service-with-a-long-name = {
        port                         = 80
        deregistration_delay_seconds = 30
        health_check                 = { path = "/", matcher = "200", interval_seconds = 10, timeout_seconds = 5, healthy_threshold = 2, unhealthy_threshold = 3 }
      }
    }
  }

  expect_failures = [var.targets]
}

run "a_second_group_s_name_that_does_not_fit_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    targets = {
      a-service-with-a-name = {
        port                         = 80
        deregistration_delay_seconds = 30
        health_check                 = { path = "/", matcher = "200", interval_seconds = 10, timeout_seconds = 5, healthy_threshold = 2, unhealthy_threshold = 3 }
        blue_green                   = true
      }
    }
  }

  expect_failures = [var.targets]
}

run "a_health_check_that_is_too_quick_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    targets = {
      web = {
        port                         = 80
        deregistration_delay_seconds = 30
        health_check                 = { path = "/", matcher = "200", interval_seconds = 4, timeout_seconds = 3, healthy_threshold = 2, unhealthy_threshold = 3 }
      }
    }
  }

  expect_failures = [var.targets]
}

run "a_health_check_that_outlasts_its_interval_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    targets = {
      web = {
        port                         = 80
        deregistration_delay_seconds = 30
        health_check                 = { path = "/", matcher = "200", interval_seconds = 5, timeout_seconds = 5, healthy_threshold = 2, unhealthy_threshold = 3 }
      }
    }
  }

  expect_failures = [var.targets]
}

run "a_health_check_s_path_begins_at_the_root" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    targets = {
      web = {
        port                         = 80
        deregistration_delay_seconds = 30
        health_check                 = { path = "healthz", matcher = "200", interval_seconds = 10, timeout_seconds = 5, healthy_threshold = 2, unhealthy_threshold = 3 }
      }
    }
  }

  expect_failures = [var.targets]
}

run "a_port_that_is_none_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    targets = {
      web = {
        port                         = 0
        deregistration_delay_seconds = 30
        health_check                 = { path = "/", matcher = "200", interval_seconds = 10, timeout_seconds = 5, healthy_threshold = 2, unhealthy_threshold = 3 }
      }
    }
  }

  expect_failures = [var.targets]
}

run "a_drain_without_end_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    targets = {
      web = {
        port                         = 80
        deregistration_delay_seconds = 3601
        health_check                 = { path = "/", matcher = "200", interval_seconds = 10, timeout_seconds = 5, healthy_threshold = 2, unhealthy_threshold = 3 }
      }
    }
  }

  expect_failures = [var.targets]
}

run "a_route_without_paths_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    targets = {
      web = {
        port                         = 80
        deregistration_delay_seconds = 30
        health_check                 = { path = "/", matcher = "200", interval_seconds = 10, timeout_seconds = 5, healthy_threshold = 2, unhealthy_threshold = 3 }
      }
      api = {
        port                         = 80
        deregistration_delay_seconds = 30
        health_check                 = { path = "/", matcher = "200", interval_seconds = 10, timeout_seconds = 5, healthy_threshold = 2, unhealthy_threshold = 3 }
        route                        = { priority = 10, paths = [] }
      }
    }
  }

  expect_failures = [var.targets]
}

run "two_routes_of_one_priority_are_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    targets = {
      web = {
        port                         = 80
        deregistration_delay_seconds = 30
        health_check                 = { path = "/", matcher = "200", interval_seconds = 10, timeout_seconds = 5, healthy_threshold = 2, unhealthy_threshold = 3 }
      }
      api = {
        port                         = 80
        deregistration_delay_seconds = 30
        health_check                 = { path = "/", matcher = "200", interval_seconds = 10, timeout_seconds = 5, healthy_threshold = 2, unhealthy_threshold = 3 }
        route                        = { priority = 10, paths = ["/api/*"] }
      }
      admin = {
        port                         = 80
        deregistration_delay_seconds = 30
        health_check                 = { path = "/", matcher = "200", interval_seconds = 10, timeout_seconds = 5, healthy_threshold = 2, unhealthy_threshold = 3 }
        route                        = { priority = 10, paths = ["/admin/*"] }
      }
    }
  }

  expect_failures = [var.targets]
}
