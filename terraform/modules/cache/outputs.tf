output "environment" {
  description = "What a container needs to connect. `rediss` is Redis over TLS; there is an address for reading where there are replicas and one shard."
  value = merge(
    {
      REDIS_HOST = local.address
      REDIS_PORT = tostring(local.port)
      REDIS_URL  = "rediss://${local.address}:${local.port}"
    },
    local.standby && var.shards == 1 ? { REDIS_READER_HOST = aws_elasticache_replication_group.this.reader_endpoint_address } : {},
  )
}

output "replication_group" {
  description = "Identifier of the replication group."
  value       = aws_elasticache_replication_group.this.replication_group_id
}

output "nodes" {
  description = "Identifiers of the nodes, as alarms name them."
  value       = aws_elasticache_replication_group.this.member_clusters
}

output "security_group" {
  description = "Who may connect is a rule of this group."
  value       = aws_security_group.this.id
}
