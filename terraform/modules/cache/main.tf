# Redis or Valkey: a replication group, always encrypted on its way and on disk. Without `iam_users` whoever the security group lets in
# may do everything; with them a client signs in with a token that IAM makes, so that there is no password to keep.

locals {
  parameters = merge(var.shards > 1 ? { "cluster-enabled" = "yes" } : {}, var.parameters)
  family     = "${var.engine}${split(".", var.engine_version)[0]}"
  port       = 6379
  standby    = var.replicas > 0
  address    = var.shards > 1 ? aws_elasticache_replication_group.this.configuration_endpoint_address : aws_elasticache_replication_group.this.primary_endpoint_address

  # A user group of Redis has to have a user `default`: whoever signs in without a name. This one may not.
  users = merge(
    { for name, access in var.iam_users : "${var.name}-${name}" => { name = "${var.name}-${name}", access = "on ${access}", mode = "iam" } },
    length(var.iam_users) > 0 && var.engine == "redis" ? { "${var.name}-nobody" = { name = "default", access = "off -@all", mode = "no-password-required" } } : {},
  )
}

resource "aws_elasticache_subnet_group" "this" {
  name        = var.name
  description = "Cache of ${var.name}"
  subnet_ids  = var.subnets
}

resource "aws_security_group" "this" {
  name        = "${var.name}-cache"
  description = "Cache of ${var.name}"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-cache" }
}

resource "aws_vpc_security_group_ingress_rule" "client" {
  for_each = var.clients

  security_group_id            = aws_security_group.this.id
  description                  = "From ${each.key}"
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
  referenced_security_group_id = each.value
}

# The family is part of the name: a new major version needs a group beside the old one.
resource "aws_elasticache_parameter_group" "this" {
  name        = "${var.name}-${local.family}"
  description = "Settings of ${var.name}"
  family      = local.family

  dynamic "parameter" {
    for_each = local.parameters

    content {
      name  = parameter.key
      value = parameter.value
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_elasticache_user" "this" {
  for_each = local.users

  user_id       = each.key
  user_name     = each.value.name
  engine        = var.engine
  access_string = each.value.access

  authentication_mode {
    type = each.value.mode
  }
}

resource "aws_elasticache_user_group" "this" {
  count = length(var.iam_users) > 0 ? 1 : 0

  user_group_id = var.name
  engine        = var.engine
  user_ids      = values(aws_elasticache_user.this)[*].user_id
}

resource "aws_elasticache_replication_group" "this" {
  replication_group_id       = var.name
  description                = "Cache of ${var.name}"
  engine                     = var.engine
  engine_version             = var.engine_version
  node_type                  = var.node_type
  port                       = local.port
  num_node_groups            = var.shards
  replicas_per_node_group    = var.replicas
  automatic_failover_enabled = local.standby
  multi_az_enabled           = local.standby
  parameter_group_name       = aws_elasticache_parameter_group.this.name
  subnet_group_name          = aws_elasticache_subnet_group.this.name
  security_group_ids         = [aws_security_group.this.id]
  user_group_ids             = aws_elasticache_user_group.this[*].user_group_id
  at_rest_encryption_enabled = true
  kms_key_id                 = var.kms_key_arn
  transit_encryption_enabled = true
  transit_encryption_mode    = "required"
  snapshot_retention_limit   = var.backup_retention_days
  snapshot_window            = var.backup_window
  final_snapshot_identifier  = var.skip_final_snapshot ? null : "${var.name}-final"
  maintenance_window         = var.maintenance_window
  apply_immediately          = var.apply_immediately
}
