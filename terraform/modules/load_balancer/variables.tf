variable "name" {
  description = "Name of the load balancer, for example `shop-stg`."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,30}[a-z0-9]$", var.name)) && !startswith(var.name, "internal-")
    error_message = "name must be 2-32 characters of a-z, 0-9 and inner -, start with a letter, and not with `internal-`; it is ${var.name}."
  }
}

variable "vpc_id" {
  description = "VPC of the load balancer and its targets."
  type        = string
}

variable "vpc_cidr" {
  description = "Where the load balancer may open connections to."
  type        = string
}

variable "subnets" {
  description = "Public subnets, in two zones at least."
  type        = list(string)
}

variable "certificate_arn" {
  description = "ACM certificate. With one, port 443 serves and port 80 redirects to it."
  type        = string
  default     = null
}

variable "deletion_protection" {
  description = "Whether AWS refuses to delete the load balancer."
  type        = bool
}

variable "targets" {
  description = "What stands behind the load balancer, by service. The one without `route` gets all that no route matches."
  type = map(object({
    port                         = number
    deregistration_delay_seconds = number
    health_check = object({
      path                = string
      matcher             = string
      interval_seconds    = number
      timeout_seconds     = number
      healthy_threshold   = number
      unhealthy_threshold = number
    })
    route = optional(object({ priority = number, paths = list(string) }))
  }))

  validation {
    condition     = length([for target in values(var.targets) : target if target.route == null]) == 1
    error_message = "exactly one service behind the load balancer must have no `route`; there are: ${join(", ", [for service, target in var.targets : service if target.route == null])}."
  }

  validation {
    condition     = alltrue([for service, target in var.targets : length("${var.name}-${service}-${target.port}") <= 32])
    error_message = "a target group is named NAME-SERVICE-PORT and may have 32 characters: ${join(", ", [for service, target in var.targets : "${var.name}-${service}-${target.port}"])}."
  }

  validation {
    condition = alltrue([for check in values(var.targets)[*].health_check : (
      check.interval_seconds >= 5 && check.interval_seconds <= 300 && check.timeout_seconds >= 2 && check.timeout_seconds <= 120 &&
      min(check.healthy_threshold, check.unhealthy_threshold) >= 2 && max(check.healthy_threshold, check.unhealthy_threshold) <= 10
    )])
    error_message = "a load balancer's health_check: interval_seconds 5-300, timeout_seconds 2-120, thresholds 2-10."
  }

  validation {
    condition     = alltrue([for target in values(var.targets) : target.health_check.timeout_seconds < target.health_check.interval_seconds])
    error_message = "a health check's timeout_seconds must be below its interval_seconds."
  }

  validation {
    condition     = alltrue([for target in values(var.targets) : startswith(target.health_check.path, "/")])
    error_message = "a health check's path starts with /."
  }
}
