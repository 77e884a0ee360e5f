output "environment" {
  description = "What a container needs to connect, the password apart. An Aurora cluster has an address for reading too."
  value = merge(
    {
      DB_HOST = local.database.address
      DB_PORT = tostring(local.database.port)
      DB_NAME = var.database_name
      DB_USER = var.username
    },
    local.aurora ? { DB_READER_HOST = one(aws_rds_cluster.this[*].reader_endpoint) } : {},
  )
}

output "secrets" {
  description = "The password, as a task definition's `valueFrom`."
  value       = { DB_PASSWORD = "${local.database.secret}:password::" }
}

output "cluster" {
  description = "Identifier of the Aurora cluster; null for an instance that stands alone."
  value       = one(aws_rds_cluster.this[*].cluster_identifier)
}

output "instances" {
  description = "Identifiers of the instances, as alarms name them."
  value       = local.aurora ? sort(values(aws_rds_cluster_instance.this)[*].identifier) : aws_db_instance.this[*].identifier
}

output "security_group" {
  description = "Who may connect is a rule of this group."
  value       = aws_security_group.this.id
}
