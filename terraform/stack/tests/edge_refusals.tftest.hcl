# Names without what they need. The variables alone are asked: that needs no provider, and takes no time.
variables {
  app         = "shop"
  environment = "stg"
  account_id  = "111111111111"
  region      = "ap-northeast-1"

  services = {
    web = { load_balancer = { container = "app" }, containers = { app = { role = "web", port = 80 } } }
    job = { containers = { worker = { role = "job" } } }
  }
}

run "a_domain_needs_a_certificate" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    domain = "shop.example.com"
  }

  expect_failures = [var.domain]
}

run "a_zone_needs_a_name_in_it" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    zone_id = "Z0123456789"
  }

  expect_failures = [var.domain]
}

run "more_names_need_a_zone" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    alternative_domains = ["www.example.com"]
  }

  expect_failures = [var.alternative_domains]
}
