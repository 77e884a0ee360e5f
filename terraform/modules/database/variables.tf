variable "name" {
  description = "Identifier of the instance or the cluster, for example `shop-stg`."
  type        = string

  validation {
    condition     = can(regex("^[a-z]([a-z0-9]|-[a-z0-9]){0,62}$", var.name))
    error_message = "name must be 1-63 characters of a-z, 0-9 and single inner -, and start with a letter; it is ${var.name}."
  }
}

variable "vpc_id" {
  description = "VPC of the database."
  type        = string
}

variable "subnets" {
  description = "Private subnets, in two zones at least."
  type        = list(string)

  validation {
    condition     = length(var.subnets) >= 2
    error_message = "subnets must be two at least, in two zones: RDS makes no subnet group of ${length(var.subnets)}."
  }
}

variable "clients" {
  description = "Security groups that may connect, by a name of their own."
  type        = map(string)
}

variable "engine" {
  description = "One instance: `postgres` or `mysql`. A cluster: `aurora-postgresql` or `aurora-mysql`."
  type        = string
  default     = "postgres"
  nullable    = false

  validation {
    condition     = contains(["postgres", "mysql", "aurora-postgresql", "aurora-mysql"], var.engine)
    error_message = "engine must be postgres, mysql, aurora-postgresql or aurora-mysql; it is ${var.engine}."
  }
}

variable "engine_version" {
  description = "Version: the major one (\"16\"; of MySQL \"8.4\"), so that AWS chooses and renews the minor one."
  type        = string

  validation {
    condition     = strcontains(var.engine, "mysql") || can(regex("^[1-9][0-9]([.][0-9]+)?$", var.engine_version))
    error_message = "engine_version of PostgreSQL must look like \"16\" or \"16.4\"; it is ${var.engine_version}."
  }

  validation {
    condition     = !strcontains(var.engine, "mysql") || can(regex("^[89][.][0-9]([.][0-9]+|[.]mysql_aurora[.][0-9.]+)?$", var.engine_version))
    error_message = "engine_version of MySQL must look like \"8.4\", \"8.0.39\" or \"8.0.mysql_aurora.3.08.0\"; it is ${var.engine_version}."
  }
}

variable "instance_class" {
  description = "Size of the instance, for example `db.t4g.micro`."
  type        = string

  validation {
    condition     = can(regex("^db[.][a-z0-9-]+[.][a-z0-9]+$", var.instance_class))
    error_message = "instance_class must look like db.t4g.micro; it is ${var.instance_class}."
  }

  validation {
    condition     = !startswith(var.engine, "aurora-") || var.serverless != null || !can(regex("[.](micro|small)$", var.instance_class))
    error_message = "Aurora has no instances as small as ${var.instance_class}: db.t4g.medium is its smallest, or `serverless`."
  }
}

variable "instances" {
  description = "Instances of an Aurora cluster: one writes, the others read and take over, each in a zone of its own."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.instances >= 1 && var.instances <= 16 && floor(var.instances) == var.instances
    error_message = "instances must be between 1 and 16; it is ${var.instances}."
  }

  validation {
    condition     = var.instances == 1 || startswith(var.engine, "aurora-")
    error_message = "instances is of Aurora; ${var.engine} stands alone, and `multi_az` gives it a stand-by."
  }
}

variable "serverless" {
  description = "Aurora capacity units, instead of an instance class. With `min_capacity = 0` the cluster pauses when nobody is connected."
  type = object({
    min_capacity = number
    max_capacity = number
  })
  default = null

  validation {
    condition     = var.serverless == null || startswith(var.engine, "aurora-")
    error_message = "serverless is of Aurora; the engine is ${var.engine}."
  }

  validation {
    condition     = try(var.serverless.min_capacity >= 0 && var.serverless.max_capacity >= 1 && var.serverless.max_capacity <= 256 && var.serverless.min_capacity <= var.serverless.max_capacity, var.serverless == null)
    error_message = "serverless: 0 <= min_capacity <= max_capacity, and max_capacity between 1 and 256."
  }
}

variable "allocated_storage_gib" {
  description = "Disk in GiB, of one instance; Aurora's grows by itself."
  type        = number
  default     = 20
  nullable    = false

  validation {
    condition     = var.allocated_storage_gib >= 20 && var.allocated_storage_gib <= 65536
    error_message = "allocated_storage_gib must be between 20 and 65536; it is ${var.allocated_storage_gib}."
  }
}

variable "max_allocated_storage_gib" {
  description = "How far RDS may enlarge the disk by itself, in GiB; without it, not at all. Aurora always does."
  type        = number
  default     = null

  validation {
    condition     = try(var.max_allocated_storage_gib > var.allocated_storage_gib, var.max_allocated_storage_gib == null)
    error_message = "max_allocated_storage_gib must be more than allocated_storage_gib, ${var.allocated_storage_gib}."
  }
}

variable "database_name" {
  description = "Database made with the instance."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9_]{0,62}$", var.database_name))
    error_message = "database_name must be 1-63 characters of a-z, 0-9 and _, and start with a letter; it is ${var.database_name}."
  }
}

variable "username" {
  description = "Owner of the database."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9_]{0,62}$", var.username)) && !contains(["admin", "rdsadmin"], var.username)
    error_message = "username must be 1-63 characters of a-z, 0-9 and _, start with a letter, and not be `admin` or `rdsadmin`, which RDS keeps; it is ${var.username}."
  }
}

variable "multi_az" {
  description = "Whether a second instance stands by in another zone; of Aurora, `instances` says so."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !(var.multi_az && startswith(var.engine, "aurora-"))
    error_message = "multi_az is not of ${var.engine}: a cluster stands in several zones when `instances` is 2 or more."
  }
}

variable "backup_retention_days" {
  description = "Days that automatic backups are kept; 0 switches them off, but not of Aurora."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = var.backup_retention_days >= 0 && var.backup_retention_days <= 35
    error_message = "backup_retention_days must be between 0 and 35; it is ${var.backup_retention_days}."
  }

  validation {
    condition     = var.backup_retention_days > 0 || !startswith(var.engine, "aurora-")
    error_message = "backup_retention_days must be 1 at least: Aurora cannot do without backups."
  }
}

variable "backup_window" {
  description = "When backups are made, in UTC, for example `18:00-18:30`; AWS chooses when it is left out."
  type        = string
  default     = null

  validation {
    condition     = can(regex("^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$", coalesce(var.backup_window, "18:00-18:30")))
    error_message = "backup_window must look like 18:00-18:30; it is ${coalesce(var.backup_window, "-")}."
  }
}

variable "maintenance_window" {
  description = "When AWS may restart it, in UTC, for example `sun:19:00-sun:19:30`; AWS chooses when it is left out."
  type        = string
  default     = null

  validation {
    condition     = can(regex("^(mon|tue|wed|thu|fri|sat|sun):[0-2][0-9]:[0-5][0-9]-(mon|tue|wed|thu|fri|sat|sun):[0-2][0-9]:[0-5][0-9]$", coalesce(var.maintenance_window, "sun:19:00-sun:19:30")))
    error_message = "maintenance_window must look like sun:19:00-sun:19:30; it is ${coalesce(var.maintenance_window, "-")}."
  }
}

variable "apply_immediately" {
  description = "Whether changes that need a restart are made at once, instead of in the maintenance window."
  type        = bool
  default     = false
  nullable    = false
}

variable "parameters" {
  description = "Settings of the engine, by name. Connections without TLS are refused unless this says otherwise (`rds.force_ssl`, `require_secure_transport`)."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "parameters_at_restart" {
  description = "Names of those `parameters` that the engine reads at its start only."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(setsubtract(var.parameters_at_restart, keys(var.parameters))) == 0
    error_message = "parameters_at_restart names what is not in parameters: ${join(", ", setsubtract(var.parameters_at_restart, keys(var.parameters)))}."
  }
}

variable "log_exports" {
  description = "Logs of the engine that go to CloudWatch: `postgresql`, `upgrade`; of MySQL `error`, `general`, `slowquery`, `audit`."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(setsubtract(var.log_exports, strcontains(var.engine, "mysql") ? ["audit", "error", "general", "slowquery"] : ["postgresql", "upgrade"])) == 0
    error_message = "${var.engine} has no log ${join(", ", setsubtract(var.log_exports, strcontains(var.engine, "mysql") ? ["audit", "error", "general", "slowquery"] : ["postgresql", "upgrade"]))}."
  }
}

variable "log_retention_days" {
  description = "Days that these logs are kept."
  type        = number
  default     = 30
  nullable    = false
}

variable "performance_insights_days" {
  description = "Days of Performance Insights; 0 switches it off."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = contains([0, 7, 731], var.performance_insights_days) || (var.performance_insights_days % 31 == 0 && var.performance_insights_days > 0 && var.performance_insights_days < 731)
    error_message = "performance_insights_days must be 0, 7, a multiple of 31 below 731, or 731; it is ${var.performance_insights_days}."
  }
}

variable "kms_key_arn" {
  description = "Key that data, backups and logs are encrypted with; without it AWS's own."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[^:]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key; it is ${coalesce(var.kms_key_arn, "-")}."
  }
}

variable "snapshot" {
  description = "Snapshot that the database is made from. Looked at when it is made, never again."
  type        = string
  default     = null
}

variable "password_rotation_days" {
  description = "Days until RDS changes the password."
  type        = number
  default     = 1000
  nullable    = false

  validation {
    condition     = var.password_rotation_days >= 1 && var.password_rotation_days <= 1000
    error_message = "password_rotation_days must be between 1 and 1000; it is ${var.password_rotation_days}."
  }
}

variable "deletion_protection" {
  description = "Whether AWS refuses to delete the database."
  type        = bool
  default     = true
  nullable    = false
}

variable "skip_final_snapshot" {
  description = "Whether the data is lost with the database."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !(var.skip_final_snapshot && var.deletion_protection)
    error_message = "a protected database keeps its final snapshot: skip_final_snapshot must be false where deletion_protection is true."
  }
}
