# Every validation refuses. The variables alone are asked: that needs no provider, and takes no time.
variables {
  name   = "shop-stg.internal"
  vpc_id = "vpc-1"
}

run "a_name_that_is_no_domain_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    name = "shop"
  }

  expect_failures = [var.name]
}

run "a_port_that_is_none_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    connections = { "web from job" = { from_group = "sg-job", to_group = "sg-web", port = 0 } }
  }

  expect_failures = [var.connections]
}
