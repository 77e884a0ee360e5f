# Every validation refuses. The variables alone are asked: that needs no provider, and takes no time.
variables {
  name     = "shop-stg"
  region   = "ap-northeast-1"
  cluster  = "shop-stg"
  services = { web = "shop-stg-web", job = "shop-stg-job" }

  load_balancer = {
    arn_suffix    = "app/shop-stg/1"
    target_groups = { web = ["targetgroup/shop-stg-web-80/1"] }
  }
}

run "names_addresses_and_keys_that_aws_does_not_take_are_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    name        = "shop stg"
    region      = "tokyo"
    topic_arn   = "chat"
    kms_key_arn = "alias/aws/sns"
    emails      = ["ops"]
    webhooks    = ["http://events.example.com"]
    cache       = { nodes = [], count = 0 }
    patience    = { minutes = 2, bad_minutes = 3 }
    thresholds  = { cpu_percent = 100 }
  }

  expect_failures = [var.name, var.region, var.topic_arn, var.kms_key_arn, var.emails, var.webhooks, var.cache, var.patience, var.thresholds]
}

run "a_latency_of_nothing_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    thresholds = { latency_seconds = 0 }
  }

  expect_failures = [var.thresholds]
}

run "target_groups_of_nobody_are_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    load_balancer = { arn_suffix = "app/shop-stg/1", target_groups = { api = ["targetgroup/api/1"] } }
  }

  expect_failures = [var.load_balancer]
}
