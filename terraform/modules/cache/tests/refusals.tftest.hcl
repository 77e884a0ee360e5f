# Every validation refuses. The variables alone are asked: that needs no provider, and takes no time.
variables {
  name    = "shop-stg"
  vpc_id  = "vpc-1"
  subnets = ["subnet-1", "subnet-2"]
  clients = { web = "sg-1", job = "sg-2" }
}

run "nonsense_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    name                  = "Shop"
    engine_version        = "5.0"
    node_type             = "t4g.micro"
    replicas              = 1
    subnets               = ["subnet-1"]
    iam_users             = { nobody = "", "Web" = "~* +@all" }
    backup_retention_days = 36
    backup_window         = "at night"
    maintenance_window    = "sunday"
    kms_key_arn           = "alias/shop"
  }

  expect_failures = [
    var.name,
    var.engine_version,
    var.node_type,
    var.subnets,
    var.iam_users,
    var.backup_retention_days,
    var.backup_window,
    var.maintenance_window,
    var.kms_key_arn,
  ]
}

run "shards_without_replicas_are_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    shards = 2
  }

  expect_failures = [var.shards]
}

run "more_replicas_than_there_can_be_are_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    replicas = 6
  }

  expect_failures = [var.replicas]
}

run "another_engine_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    engine = "memcached"
  }

  expect_failures = [var.engine]
}

run "nobody_is_a_name_that_is_taken" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    iam_users = { nobody = "~* +@all" }
  }

  expect_failures = [var.iam_users]
}

run "a_user_who_may_do_nothing_is_a_mistake" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    iam_users = { web = "" }
  }

  expect_failures = [var.iam_users]
}

run "more_shards_than_there_can_be_are_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    shards   = 91
    replicas = 1
  }

  expect_failures = [var.shards]
}
