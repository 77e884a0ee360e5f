mock_provider "aws" {
  mock_resource "aws_db_instance" {
    defaults = {
      address            = "db.example.com"
      port               = 5432
      master_user_secret = [{ secret_arn = "arn:aws:secretsmanager:ap-northeast-1:111111111111:secret:rds!db-1", kms_key_id = "k", secret_status = "active" }]
    }
  }

  mock_resource "aws_rds_cluster" {
    defaults = {
      endpoint           = "cluster.example.com"
      port               = 5432
      reader_endpoint    = "cluster-ro.example.com"
      master_user_secret = [{ secret_arn = "arn:aws:secretsmanager:ap-northeast-1:111111111111:secret:rds!cluster-1", kms_key_id = "k", secret_status = "active" }]
    }
  }
}

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

run "rds_keeps_the_password" {
  command = apply

  assert {
    condition     = aws_db_instance.this[0].manage_master_user_password && aws_db_instance.this[0].password == null
    error_message = "Terraform never knows the password"
  }

  assert {
    condition     = aws_db_instance.this[0].storage_encrypted && aws_db_instance.this[0].final_snapshot_identifier == "shop-stg-final"
    error_message = "data are encrypted, and kept at the end"
  }

  assert {
    condition     = output.environment == { DB_HOST = "db.example.com", DB_PORT = "5432", DB_NAME = "shop", DB_USER = "shop" }
    error_message = "a container learns how to connect"
  }

  assert {
    condition     = output.secrets == { DB_PASSWORD = "arn:aws:secretsmanager:ap-northeast-1:111111111111:secret:rds!db-1:password::" }
    error_message = "the password is a reference into the secret that RDS keeps"
  }

  assert {
    condition     = { for name, rule in aws_vpc_security_group_ingress_rule.client : name => rule.referenced_security_group_id } == { web = "sg-1", job = "sg-2" }
    error_message = "only the clients come in"
  }

  assert {
    condition     = aws_secretsmanager_secret_rotation.password.rotation_rules[0].automatically_after_days == 1000 && !aws_secretsmanager_secret_rotation.password.rotate_immediately
    error_message = "the password does not change every week"
  }
}

run "an_instance_has_its_own_settings" {
  command   = plan
  state_key = "new"

  variables {
    parameters                = { work_mem = "8192", max_connections = "200" }
    parameters_at_restart     = ["max_connections"]
    log_exports               = ["postgresql"]
    multi_az                  = true
    max_allocated_storage_gib = 100
    performance_insights_days = 7
    backup_window             = "18:00-18:30"
    maintenance_window        = "sun:19:00-sun:19:30"
    snapshot                  = "before-the-move"
  }

  assert {
    condition = { for parameter in aws_db_parameter_group.this[0].parameter : parameter.name => [parameter.value, parameter.apply_method] } == {
      "rds.force_ssl" = ["1", "immediate"]
      work_mem        = ["8192", "immediate"]
      max_connections = ["200", "pending-reboot"]
    }
    error_message = "what is asked for is set beside the refusal of connections without TLS"
  }

  assert {
    condition     = aws_db_parameter_group.this[0].name == "shop-stg-postgres16" && aws_db_parameter_group.this[0].family == "postgres16"
    error_message = "the group is named after its family, so that the next major version gets another"
  }

  assert {
    condition     = { for name, group in aws_cloudwatch_log_group.this : name => [group.name, group.retention_in_days] } == { postgresql = ["/aws/rds/instance/shop-stg/postgresql", 30] }
    error_message = "a log that is exported does not stay for ever"
  }

  assert {
    condition     = aws_db_instance.this[0].multi_az && aws_db_instance.this[0].max_allocated_storage == 100 && aws_db_instance.this[0].performance_insights_retention_period == 7
    error_message = "a stand-by, a disk that grows, and insights"
  }

  assert {
    condition     = aws_db_instance.this[0].backup_window == "18:00-18:30" && aws_db_instance.this[0].maintenance_window == "sun:19:00-sun:19:30" && aws_db_instance.this[0].snapshot_identifier == "before-the-move"
    error_message = "windows and origin are passed on"
  }

  assert {
    condition     = output.cluster == null && output.instances == tolist(["shop-stg"]) && length(aws_rds_cluster.this) == 0 && length(aws_rds_cluster_instance.this) == 0
    error_message = "one instance is no cluster"
  }
}

run "mysql_is_one_too" {
  command = plan

  variables {
    engine         = "mysql"
    engine_version = "8.0.39"
    log_exports    = ["error", "slowquery"]
  }

  assert {
    condition     = aws_db_parameter_group.this[0].family == "mysql8.0" && one(aws_db_parameter_group.this[0].parameter).name == "require_secure_transport"
    error_message = "MySQL's major version has two numbers, and its own name for TLS"
  }
}

run "an_aurora_cluster_has_instances" {
  command = apply

  variables {
    engine         = "aurora-postgresql"
    engine_version = "16.4"
    instance_class = "db.r8g.large"
    instances      = 3
    parameters     = { "log_min_duration_statement" = "500" }
    log_exports    = ["postgresql"]
    kms_key_arn    = "arn:aws:kms:ap-northeast-1:111111111111:key/1"
  }

  assert {
    condition     = { for name, instance in aws_rds_cluster_instance.this : name => [instance.promotion_tier, instance.instance_class] } == { shop-stg-1 = [0, "db.r8g.large"], shop-stg-2 = [1, "db.r8g.large"], shop-stg-3 = [2, "db.r8g.large"] }
    error_message = "each instance has a name and its turn to become the writer"
  }

  assert {
    condition     = aws_rds_cluster.this[0].manage_master_user_password && aws_rds_cluster.this[0].storage_encrypted && aws_rds_cluster.this[0].deletion_protection && aws_rds_cluster.this[0].kms_key_id == "arn:aws:kms:ap-northeast-1:111111111111:key/1"
    error_message = "RDS keeps the password, and data are encrypted and protected"
  }

  assert {
    condition     = output.environment == { DB_HOST = "cluster.example.com", DB_READER_HOST = "cluster-ro.example.com", DB_PORT = "5432", DB_NAME = "shop", DB_USER = "shop" }
    error_message = "a container learns where to write and where to read"
  }

  assert {
    condition     = output.secrets == { DB_PASSWORD = "arn:aws:secretsmanager:ap-northeast-1:111111111111:secret:rds!cluster-1:password::" } && aws_secretsmanager_secret_rotation.password.secret_id == "arn:aws:secretsmanager:ap-northeast-1:111111111111:secret:rds!cluster-1"
    error_message = "the secret is the cluster's, also where it is rotated"
  }

  assert {
    condition     = aws_rds_cluster_parameter_group.this[0].family == "aurora-postgresql16" && length(aws_rds_cluster_parameter_group.this[0].parameter) == 2
    error_message = "settings are the cluster's"
  }

  assert {
    condition     = aws_cloudwatch_log_group.this["postgresql"].name == "/aws/rds/cluster/shop-stg/postgresql"
    error_message = "logs are the cluster's"
  }

  assert {
    condition     = output.cluster == "shop-stg" && output.instances == tolist(["shop-stg-1", "shop-stg-2", "shop-stg-3"]) && length(aws_db_instance.this) == 0
    error_message = "there is no instance beside the cluster"
  }
}

run "aurora_without_an_instance_class" {
  command = plan

  variables {
    engine         = "aurora-mysql"
    engine_version = "8.0"
    serverless     = { min_capacity = 0, max_capacity = 4 }
  }

  assert {
    condition     = aws_rds_cluster_instance.this["shop-stg-1"].instance_class == "db.serverless" && aws_rds_cluster.this[0].serverlessv2_scaling_configuration[0].max_capacity == 4
    error_message = "capacity units instead of a class"
  }

  assert {
    condition     = aws_rds_cluster_parameter_group.this[0].family == "aurora-mysql8.0" && aws_rds_cluster_parameter_group.this[0].name == "shop-stg-aurora-mysql8-0"
    error_message = "a group's name has no dots"
  }
}

# A variable is not looked at where another one that it is compared with is wrong already.
