# A database whose password no one ever typed: RDS makes it and keeps it in Secrets Manager, so it is neither in the state nor in a
# plan (docs/adr/0004-database-by-terraform.md). One instance (`postgres`, `mysql`), or an Aurora cluster with its instances.

locals {
  aurora = startswith(var.engine, "aurora-")

  # PostgreSQL's major version is the first number, MySQL's the first two.
  major  = strcontains(var.engine, "mysql") ? join(".", slice(concat(split(".", var.engine_version), ["0"]), 0, 2)) : split(".", var.engine_version)[0]
  family = "${var.engine}${local.major}"

  # A password must not cross the network in clear.
  parameters = merge(strcontains(var.engine, "mysql") ? { require_secure_transport = "ON" } : { "rds.force_ssl" = "1" }, var.parameters)

  database = local.aurora ? {
    address = one(aws_rds_cluster.this[*].endpoint)
    port    = one(aws_rds_cluster.this[*].port)
    secret  = one(aws_rds_cluster.this[*].master_user_secret[0].secret_arn)
    } : {
    address = one(aws_db_instance.this[*].address)
    port    = one(aws_db_instance.this[*].port)
    secret  = one(aws_db_instance.this[*].master_user_secret[0].secret_arn)
  }

  # The first one is made the writer; after a failover any may be it.
  members = local.aurora ? { for number in range(1, var.instances + 1) : "${var.name}-${number}" => number } : {}
}

resource "aws_db_subnet_group" "this" {
  name       = var.name
  subnet_ids = var.subnets
}

resource "aws_security_group" "this" {
  name        = "${var.name}-database"
  description = "Database of ${var.name}"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-database" }
}

resource "aws_vpc_security_group_ingress_rule" "client" {
  for_each = var.clients

  security_group_id            = aws_security_group.this.id
  description                  = "From ${each.key}"
  ip_protocol                  = "tcp"
  from_port                    = local.database.port
  to_port                      = local.database.port
  referenced_security_group_id = each.value
}

# RDS would make log groups that nothing ever removes.
resource "aws_cloudwatch_log_group" "this" {
  # checkov:skip=CKV_AWS_338:log_retention_days is the environment's choice; prd says a year
  for_each = var.log_exports

  name              = "/aws/rds/${local.aurora ? "cluster" : "instance"}/${var.name}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

# The family is part of a parameter group's name: a new major version needs a group beside the old one.
resource "aws_db_parameter_group" "this" {
  count = local.aurora ? 0 : 1

  name        = "${var.name}-${replace(local.family, ".", "-")}"
  description = "Settings of ${var.name}"
  family      = local.family

  dynamic "parameter" {
    for_each = local.parameters

    content {
      name         = parameter.key
      value        = parameter.value
      apply_method = contains(var.parameters_at_restart, parameter.key) ? "pending-reboot" : "immediate"
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_rds_cluster_parameter_group" "this" {
  count = local.aurora ? 1 : 0

  name        = "${var.name}-${replace(local.family, ".", "-")}"
  description = "Settings of ${var.name}"
  family      = local.family

  dynamic "parameter" {
    for_each = local.parameters

    content {
      name         = parameter.key
      value        = parameter.value
      apply_method = contains(var.parameters_at_restart, parameter.key) ? "pending-reboot" : "immediate"
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_db_instance" "this" {
  # checkov:skip=CKV_AWS_118:enhanced monitoring costs by the instance; Performance Insights shows what it is asked for
  # checkov:skip=CKV_AWS_354:kms_key_arn is the environment's choice
  count = local.aurora ? 0 : 1

  identifier                            = var.name
  engine                                = var.engine
  engine_version                        = var.engine_version
  auto_minor_version_upgrade            = true
  allow_major_version_upgrade           = true # its number is written down: whoever raises it means it
  instance_class                        = var.instance_class
  allocated_storage                     = var.allocated_storage_gib
  max_allocated_storage                 = var.max_allocated_storage_gib
  storage_type                          = "gp3"
  storage_encrypted                     = true
  kms_key_id                            = var.kms_key_arn
  db_name                               = var.database_name
  username                              = var.username
  manage_master_user_password           = true
  db_subnet_group_name                  = aws_db_subnet_group.this.name
  vpc_security_group_ids                = [aws_security_group.this.id]
  parameter_group_name                  = aws_db_parameter_group.this[0].name
  multi_az                              = var.multi_az
  backup_retention_period               = var.backup_retention_days
  backup_window                         = var.backup_window
  maintenance_window                    = var.maintenance_window
  apply_immediately                     = var.apply_immediately
  enabled_cloudwatch_logs_exports       = var.log_exports
  performance_insights_enabled          = var.performance_insights_days > 0
  performance_insights_retention_period = var.performance_insights_days > 0 ? var.performance_insights_days : null
  copy_tags_to_snapshot                 = true
  snapshot_identifier                   = var.snapshot
  deletion_protection                   = var.deletion_protection
  skip_final_snapshot                   = var.skip_final_snapshot
  final_snapshot_identifier             = var.skip_final_snapshot ? null : "${var.name}-final"

  depends_on = [aws_cloudwatch_log_group.this]

  lifecycle {
    ignore_changes = [snapshot_identifier] # where it came from; another answer later would replace the database
  }
}

resource "aws_rds_cluster" "this" {
  # checkov:skip=CKV_AWS_162:applications sign in with the password that RDS keeps
  # checkov:skip=CKV2_AWS_8:RDS makes the backups itself (backup_retention_days)
  count = local.aurora ? 1 : 0

  cluster_identifier              = var.name
  engine                          = var.engine
  engine_version                  = var.engine_version
  allow_major_version_upgrade     = true
  storage_encrypted               = true
  kms_key_id                      = var.kms_key_arn
  database_name                   = var.database_name
  master_username                 = var.username
  manage_master_user_password     = true
  db_subnet_group_name            = aws_db_subnet_group.this.name
  vpc_security_group_ids          = [aws_security_group.this.id]
  db_cluster_parameter_group_name = aws_rds_cluster_parameter_group.this[0].name
  backup_retention_period         = var.backup_retention_days
  preferred_backup_window         = var.backup_window
  preferred_maintenance_window    = var.maintenance_window
  apply_immediately               = var.apply_immediately
  enabled_cloudwatch_logs_exports = var.log_exports
  copy_tags_to_snapshot           = true
  snapshot_identifier             = var.snapshot
  deletion_protection             = var.deletion_protection
  skip_final_snapshot             = var.skip_final_snapshot
  final_snapshot_identifier       = var.skip_final_snapshot ? null : "${var.name}-final"

  dynamic "serverlessv2_scaling_configuration" {
    for_each = var.serverless[*]

    content {
      min_capacity = serverlessv2_scaling_configuration.value.min_capacity
      max_capacity = serverlessv2_scaling_configuration.value.max_capacity
    }
  }

  depends_on = [aws_cloudwatch_log_group.this]

  lifecycle {
    ignore_changes = [snapshot_identifier]
  }
}

resource "aws_rds_cluster_instance" "this" {
  # checkov:skip=CKV_AWS_118:enhanced monitoring costs by the instance; Performance Insights shows what it is asked for
  # checkov:skip=CKV_AWS_354:kms_key_arn is the environment's choice
  for_each = local.members

  identifier                            = each.key
  cluster_identifier                    = aws_rds_cluster.this[0].id
  engine                                = var.engine
  engine_version                        = aws_rds_cluster.this[0].engine_version
  auto_minor_version_upgrade            = true
  instance_class                        = var.serverless == null ? var.instance_class : "db.serverless"
  db_subnet_group_name                  = aws_db_subnet_group.this.name
  promotion_tier                        = each.value - 1
  preferred_maintenance_window          = var.maintenance_window
  apply_immediately                     = var.apply_immediately
  performance_insights_enabled          = var.performance_insights_days > 0
  performance_insights_retention_period = var.performance_insights_days > 0 ? var.performance_insights_days : null
  copy_tags_to_snapshot                 = true
}

# RDS would change the password every seven days. A container reads it at its start only, so each change needs new tasks.
resource "aws_secretsmanager_secret_rotation" "password" {
  # checkov:skip=CKV_AWS_304:each change needs new tasks: password_rotation_days is the environment's choice
  secret_id          = local.database.secret
  rotate_immediately = false

  rotation_rules {
    automatically_after_days = var.password_rotation_days
  }
}
