# Every validation refuses. The variables alone are asked: that needs no provider, and takes no time.
variables {
  name                   = "shop-stg"
  vpc_id                 = "vpc-1"
  subnets                = ["subnet-1", "subnet-2"]
  clients                = { web = "sg-1", job = "sg-2" }
  engine_version         = "16"
  instance_class         = "db.t4g.micro"
  allocated_storage_gib  = 20
  database_name          = "shop"
  username               = "shop"
  multi_az               = false
  backup_retention_days  = 7
  password_rotation_days = 1000
  deletion_protection    = true
  skip_final_snapshot    = false
}

run "nonsense_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    name                      = "Shop"
    subnets                   = ["subnet-1"]
    engine_version            = "latest"
    instances                 = 2
    allocated_storage_gib     = 5
    database_name             = "9"
    username                  = "admin"
    backup_retention_days     = 36
    backup_window             = "at night"
    maintenance_window        = "sunday"
    parameters_at_restart     = ["max_connections"]
    log_exports               = ["slowquery"]
    performance_insights_days = 8
    kms_key_arn               = "alias/shop"
    password_rotation_days    = 1001
    serverless                = { min_capacity = 2, max_capacity = 1 }
    skip_final_snapshot       = true
  }

  expect_failures = [
    var.name,
    var.subnets,
    var.engine_version,
    var.instances,
    var.allocated_storage_gib,
    var.database_name,
    var.username,
    var.backup_retention_days,
    var.backup_window,
    var.maintenance_window,
    var.parameters_at_restart,
    var.log_exports,
    var.performance_insights_days,
    var.kms_key_arn,
    var.password_rotation_days,
    var.serverless,
    var.skip_final_snapshot,
  ]
}

run "more_nonsense_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    max_allocated_storage_gib = 20
    serverless                = { min_capacity = 0, max_capacity = 1 }
  }

  expect_failures = [var.max_allocated_storage_gib, var.serverless]
}

run "a_class_that_is_none_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    instance_class = "t4g.micro"
  }

  expect_failures = [var.instance_class]
}

run "what_aurora_has_not_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    engine                = "aurora-mysql"
    engine_version        = "16"
    multi_az              = true
    instances             = 17
    backup_retention_days = 0
  }

  expect_failures = [var.engine_version, var.instance_class, var.multi_az, var.instances, var.backup_retention_days]
}

run "another_engine_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    engine = "oracle"
  }

  expect_failures = [var.engine]
}

run "a_capacity_upside_down_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    engine     = "aurora-postgresql"
    serverless = { min_capacity = 2, max_capacity = 1 }
  }

  expect_failures = [var.serverless]
}
