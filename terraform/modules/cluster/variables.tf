variable "name" {
  description = "Name of the cluster, for example `shop-stg`."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,255}$", var.name))
    error_message = "name must be 1-255 letters, digits, - and _; it is ${var.name}."
  }
}

variable "services" {
  description = "Services that get a log group."
  type        = set(string)

  validation {
    condition     = !contains(var.services, "exec") || var.exec_logging == null
    error_message = "a service named exec would share its log group with the shells' (exec_logging): name it otherwise."
  }
}

variable "log_prefix" {
  description = "Log groups are called LOG_PREFIX/SERVICE, for example `/shop/stg`."
  type        = string

  validation {
    condition     = can(regex("^(/[A-Za-z0-9_.-]+)+$", var.log_prefix))
    error_message = "log_prefix must look like /shop/stg; it is ${var.log_prefix}."
  }
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number

  validation {
    condition = contains(
      [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653],
      var.log_retention_days
    )
    error_message = "CloudWatch Logs does not offer a retention of ${var.log_retention_days} days; 14, 30, 90 and 365 are common ones."
  }
}

variable "container_insights" {
  description = "CloudWatch Container Insights: disabled, enabled, or enhanced."
  type        = string

  validation {
    condition     = contains(["disabled", "enabled", "enhanced"], var.container_insights)
    error_message = "container_insights must be disabled, enabled or enhanced; it is ${var.container_insights}."
  }
}

variable "capacity_providers" {
  description = "Where services may ask for capacity: FARGATE, FARGATE_SPOT (up to 70 % cheaper, and taken back with two minutes' notice)."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for provider in var.capacity_providers : contains(["FARGATE", "FARGATE_SPOT"], provider)])
    error_message = "capacity_providers are FARGATE and FARGATE_SPOT: ${join(", ", var.capacity_providers)}."
  }
}

variable "log_kms_key_arn" {
  description = "KMS key that encrypts the services' logs; without one CloudWatch's own. Its policy must let CloudWatch Logs use it."
  type        = string
  default     = null

  validation {
    condition     = var.log_kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[^:]+:[0-9]{12}:key/.+$", var.log_kms_key_arn))
    error_message = "log_kms_key_arn must be the ARN of a KMS key; it is ${coalesce(var.log_kms_key_arn, "-")}."
  }
}

variable "exec_logging" {
  description = "A log group for what is typed in shells inside tasks (ECS Exec); leave it out for none. With a KMS key the session is encrypted by it too."
  type = object({
    retention_days = optional(number, 365)
    kms_key_arn    = optional(string)
  })
  default = null

  validation {
    condition = try(contains(
      [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653],
      var.exec_logging.retention_days
    ), true)
    error_message = "CloudWatch Logs does not offer a retention of ${try(var.exec_logging.retention_days, "-")} days; 90 and 365 are common ones."
  }

  validation {
    condition     = try(var.exec_logging.kms_key_arn, null) == null || can(regex("^arn:[a-z-]+:kms:[^:]+:[0-9]{12}:key/.+$", var.exec_logging.kms_key_arn))
    error_message = "exec_logging.kms_key_arn must be the ARN of a KMS key; it is ${try(coalesce(var.exec_logging.kms_key_arn, "-"), "-")}."
  }
}
