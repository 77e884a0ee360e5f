variable "name" {
  description = "Identifier of the replication group, for example `shop-stg`."
  type        = string

  validation {
    condition     = can(regex("^[a-z]([a-z0-9]|-[a-z0-9]){0,39}$", var.name))
    error_message = "name must be 1-40 characters of a-z, 0-9 and single inner -, and start with a letter; it is ${var.name}."
  }
}

variable "vpc_id" {
  description = "VPC of the cache."
  type        = string
}

variable "subnets" {
  description = "Private subnets; in two zones at least where there are replicas."
  type        = list(string)

  validation {
    condition     = length(var.subnets) >= (var.replicas > 0 ? 2 : 1)
    error_message = "subnets must be one at least, and two with replicas: they stand in another zone. There are ${length(var.subnets)}."
  }
}

variable "clients" {
  description = "Security groups that may connect, by a name of their own."
  type        = map(string)
}

variable "engine" {
  description = "`valkey` or `redis`: one protocol; Valkey costs less."
  type        = string
  default     = "valkey"
  nullable    = false

  validation {
    condition     = contains(["redis", "valkey"], var.engine)
    error_message = "engine must be valkey or redis; it is ${var.engine}."
  }
}

variable "engine_version" {
  description = "Version with its minor number, for example `8.0`; of Redis 7.0 or 7.1, the last one that AWS offers."
  type        = string
  default     = "8.0"
  nullable    = false

  validation {
    condition     = var.engine == "redis" ? can(regex("^7[.][01]$", var.engine_version)) : can(regex("^(7[.]2|[89][.][0-9])$", var.engine_version))
    error_message = "engine_version of Redis must be 7.0 or 7.1, of Valkey 7.2 or 8.0 and later; it is ${var.engine_version}."
  }
}

variable "node_type" {
  description = "Size of a node, for example `cache.t4g.micro`."
  type        = string
  default     = "cache.t4g.micro"
  nullable    = false

  validation {
    condition     = can(regex("^cache[.][a-z0-9]+[.][a-z0-9]+$", var.node_type))
    error_message = "node_type must look like cache.t4g.micro; it is ${var.node_type}."
  }
}

variable "shards" {
  description = "Parts that the keys are spread over. Clients of more than one have to speak the cluster's protocol."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.shards >= 1 && var.shards <= 90 && floor(var.shards) == var.shards
    error_message = "shards must be between 1 and 90; it is ${var.shards}."
  }

  validation {
    condition     = var.shards == 1 || var.replicas > 0
    error_message = "more than one of shards needs replicas: a cluster has to be able to fail over."
  }
}

variable "replicas" {
  description = "Nodes of each shard beside the first, in other zones; one of them takes over when that fails. 0: what is in it goes with the node."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.replicas >= 0 && var.replicas <= 5 && floor(var.replicas) == var.replicas
    error_message = "replicas must be between 0 and 5; it is ${var.replicas}."
  }
}

variable "parameters" {
  description = "Settings of the engine, by name, for example `maxmemory-policy`."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "iam_users" {
  description = "Users that sign in with a token of IAM, by name, each with its access string, for example `~* +@all`. A task's role needs `elasticache:Connect`."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name in keys(var.iam_users) : can(regex("^[a-z]([a-z0-9]|-[a-z0-9])*$", name)) && name != "nobody"])
    error_message = "a user's name must be words of a-z and 0-9 joined by -, start with a letter, and not be `nobody`: ${join(", ", keys(var.iam_users))}."
  }

  validation {
    condition     = length(setintersection(values(var.iam_users), [""])) == 0
    error_message = "a user of iam_users has no access string: `~* +@all` allows everything, `~page:* +@read` reading the keys that start with page:."
  }
}

variable "backup_retention_days" {
  description = "Days that automatic snapshots are kept; 0 switches them off."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.backup_retention_days >= 0 && var.backup_retention_days <= 35
    error_message = "backup_retention_days must be between 0 and 35; it is ${var.backup_retention_days}."
  }
}

variable "backup_window" {
  description = "When snapshots are made, in UTC, for example `18:00-19:00`; AWS chooses when it is left out."
  type        = string
  default     = null

  validation {
    condition     = can(regex("^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$", coalesce(var.backup_window, "18:00-19:00")))
    error_message = "backup_window must look like 18:00-19:00; it is ${coalesce(var.backup_window, "-")}."
  }
}

variable "maintenance_window" {
  description = "When AWS may restart nodes, in UTC, for example `sun:19:00-sun:20:00`; AWS chooses when it is left out."
  type        = string
  default     = null

  validation {
    condition     = can(regex("^(mon|tue|wed|thu|fri|sat|sun):[0-2][0-9]:[0-5][0-9]-(mon|tue|wed|thu|fri|sat|sun):[0-2][0-9]:[0-5][0-9]$", coalesce(var.maintenance_window, "sun:19:00-sun:20:00")))
    error_message = "maintenance_window must look like sun:19:00-sun:20:00; it is ${coalesce(var.maintenance_window, "-")}."
  }
}

variable "apply_immediately" {
  description = "Whether changes that need a restart are made at once, instead of in the maintenance window."
  type        = bool
  default     = false
  nullable    = false
}

variable "kms_key_arn" {
  description = "Key that data and snapshots are encrypted with; without it AWS's own."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[^:]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key; it is ${coalesce(var.kms_key_arn, "-")}."
  }
}

variable "skip_final_snapshot" {
  description = "Whether what is in the cache is lost with it. ElastiCache knows no deletion protection."
  type        = bool
  default     = true
  nullable    = false
}
