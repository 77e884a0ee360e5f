variable "name" {
  description = "Name of the cluster, for example `shop-stg`."
  type        = string
}

variable "services" {
  description = "Services that get a log group."
  type        = set(string)
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
    error_message = "container_insights must be disabled, enabled or enhanced."
  }
}
