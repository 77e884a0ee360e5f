mock_provider "aws" {
  mock_resource "aws_db_instance" {
    defaults = {
      address            = "db.example.com"
      port               = 5432
      master_user_secret = [{ secret_arn = "arn:aws:secretsmanager:ap-northeast-1:111111111111:secret:rds!db-1", kms_key_id = "k", secret_status = "active" }]
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
    condition     = aws_db_instance.this.manage_master_user_password && aws_db_instance.this.password == null
    error_message = "Terraform never knows the password"
  }

  assert {
    condition     = aws_db_instance.this.storage_encrypted && aws_db_instance.this.final_snapshot_identifier == "shop-stg-final"
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

run "nonsense_is_refused" {
  command = plan

  variables {
    engine_version         = "latest"
    instance_class         = "t4g.micro"
    allocated_storage_gib  = 5
    username               = "admin"
    backup_retention_days  = 36
    password_rotation_days = 1001
    skip_final_snapshot    = true
  }

  expect_failures = [
    var.engine_version,
    var.instance_class,
    var.allocated_storage_gib,
    var.username,
    var.backup_retention_days,
    var.password_rotation_days,
    var.skip_final_snapshot,
  ]
}
