mock_provider "aws" {
  mock_resource "aws_elasticache_replication_group" {
    defaults = {
      primary_endpoint_address       = "cache.example.com"
      reader_endpoint_address        = "cache-ro.example.com"
      configuration_endpoint_address = "shards.example.com"
      member_clusters                = ["shop-stg-001"]
    }
  }
}

variables {
  name    = "shop-stg"
  vpc_id  = "vpc-1"
  subnets = ["subnet-1", "subnet-2"]
  clients = { web = "sg-1", job = "sg-2" }
}

run "one_small_node" {
  command = apply

  assert {
    condition     = aws_elasticache_replication_group.this.at_rest_encryption_enabled == "true" && aws_elasticache_replication_group.this.transit_encryption_enabled && aws_elasticache_replication_group.this.transit_encryption_mode == "required"
    error_message = "encrypted on its way and on disk, always"
  }

  assert {
    condition     = !aws_elasticache_replication_group.this.automatic_failover_enabled && !aws_elasticache_replication_group.this.multi_az_enabled && aws_elasticache_replication_group.this.replicas_per_node_group == 0
    error_message = "one node has nobody to take over"
  }

  assert {
    condition     = output.environment == { REDIS_HOST = "cache.example.com", REDIS_PORT = "6379", REDIS_URL = "rediss://cache.example.com:6379" }
    error_message = "a container learns how to connect, over TLS"
  }

  assert {
    condition     = { for name, rule in aws_vpc_security_group_ingress_rule.client : name => rule.referenced_security_group_id } == { web = "sg-1", job = "sg-2" }
    error_message = "only the clients come in"
  }

  assert {
    condition     = aws_elasticache_parameter_group.this.family == "valkey8" && aws_elasticache_parameter_group.this.name == "shop-stg-valkey8" && length(aws_elasticache_parameter_group.this.parameter) == 0
    error_message = "the group is named after its family, so that the next major version gets another"
  }

  assert {
    condition     = length(aws_elasticache_user.this) == 0 && length(aws_elasticache_user_group.this) == 0 && output.nodes == toset(["shop-stg-001"])
    error_message = "nobody signs in where nobody has to"
  }
}

run "replicas_stand_in_other_zones" {
  command = apply

  variables {
    engine                = "redis"
    engine_version        = "7.1"
    node_type             = "cache.r7g.large"
    replicas              = 2
    parameters            = { maxmemory-policy = "allkeys-lru" }
    iam_users             = { web = "~* +@all" }
    backup_retention_days = 7
    backup_window         = "18:00-19:00"
    maintenance_window    = "sun:19:00-sun:20:00"
    kms_key_arn           = "arn:aws:kms:ap-northeast-1:111111111111:key/1"
    skip_final_snapshot   = false
  }

  assert {
    condition     = aws_elasticache_replication_group.this.automatic_failover_enabled && aws_elasticache_replication_group.this.multi_az_enabled
    error_message = "one of them takes over"
  }

  assert {
    condition     = output.environment.REDIS_READER_HOST == "cache-ro.example.com"
    error_message = "replicas have an address for reading"
  }

  assert {
    condition     = { for parameter in aws_elasticache_parameter_group.this.parameter : parameter.name => parameter.value } == { maxmemory-policy = "allkeys-lru" } && aws_elasticache_parameter_group.this.family == "redis7"
    error_message = "settings are set"
  }

  assert {
    condition     = { for id, user in aws_elasticache_user.this : id => [user.user_name, user.access_string, user.authentication_mode[0].type] } == { shop-stg-web = ["shop-stg-web", "on ~* +@all", "iam"], shop-stg-nobody = ["default", "off -@all", "no-password-required"] }
    error_message = "whoever signs in without a name may do nothing"
  }

  assert {
    condition     = aws_elasticache_user_group.this[0].user_ids == toset(["shop-stg-nobody", "shop-stg-web"]) && aws_elasticache_replication_group.this.user_group_ids == toset(["shop-stg"])
    error_message = "the users are the cache's"
  }

  assert {
    condition     = aws_elasticache_replication_group.this.snapshot_retention_limit == 7 && aws_elasticache_replication_group.this.final_snapshot_identifier == "shop-stg-final" && aws_elasticache_replication_group.this.kms_key_id == "arn:aws:kms:ap-northeast-1:111111111111:key/1"
    error_message = "what is in it is kept, encrypted with the key"
  }
}

run "shards_share_the_keys" {
  command = apply

  variables {
    shards    = 3
    replicas  = 1
    iam_users = { web = "~* +@all" }
  }

  assert {
    condition     = one(aws_elasticache_parameter_group.this.parameter).name == "cluster-enabled" && aws_elasticache_replication_group.this.num_node_groups == 3
    error_message = "more than one shard is a cluster"
  }

  assert {
    condition     = output.environment.REDIS_HOST == "shards.example.com" && !can(output.environment.REDIS_READER_HOST)
    error_message = "a cluster tells its clients itself where to read"
  }

  assert {
    condition     = keys(aws_elasticache_user.this) == ["shop-stg-web"]
    error_message = "Valkey needs no user that nobody may use"
  }
}
