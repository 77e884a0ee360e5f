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

  validation {
    condition     = can(cidrhost(var.vpc_cidr, 0))
    error_message = "vpc_cidr must be an IPv4 range, like 10.0.0.0/16; it is ${var.vpc_cidr}."
  }
}

variable "subnets" {
  description = "Public subnets, in two zones at least."
  type        = list(string)

  validation {
    condition     = length(var.subnets) >= 2
    error_message = "subnets must be two at least, in different zones; there are ${length(var.subnets)}."
  }
}

variable "certificate_arn" {
  description = "ACM certificate that is there already. With one, port 443 serves and port 80 redirects to it."
  type        = string
  default     = null

  validation {
    condition     = var.certificate_arn == null || can(regex("^arn:[a-z-]+:acm:[^:]+:[0-9]{12}:certificate/.+$", var.certificate_arn))
    error_message = "certificate_arn must be the ARN of an ACM certificate; it is ${coalesce(var.certificate_arn, "-")}."
  }
}

variable "dns" {
  description = <<-EOT
    A hosted zone of Route 53 in this account, and the names in it that lead here (the first is the application's, a wildcard may follow). Without
    `certificate_arn` a certificate for them is made and proved by records in the zone.
  EOT
  type = object({
    zone_id = string
    names   = list(string)
  })
  default = null

  validation {
    condition     = var.dns == null || can(regex("^Z[A-Z0-9]+$", var.dns.zone_id))
    error_message = "dns.zone_id must be the id of a hosted zone, like Z0123456789ABCDEFGHIJ; it is ${try(var.dns.zone_id, "-")}."
  }

  validation {
    condition     = try(length(var.dns.names) > 0 && length(distinct(var.dns.names)) == length(var.dns.names), true)
    error_message = "dns.names must name at least one host, and none twice: ${try(join(", ", var.dns.names), "-")}."
  }

  validation {
    condition     = try(alltrue([for name in var.dns.names : can(regex("^([*][.])?([a-z0-9]([a-z0-9-]*[a-z0-9])?[.])+[a-z]{2,}$", name))]), true)
    error_message = "dns.names are host names in lower case, like shop.example.com or *.example.com: ${try(join(", ", var.dns.names), "-")}."
  }
}

variable "tls_policy" {
  description = "Security policy of the HTTPS listeners; the default takes TLS 1.2 and 1.3."
  type        = string
  default     = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  nullable    = false

  validation {
    condition     = can(regex("^ELBSecurityPolicy-TLS13-1-[23]-", var.tls_policy))
    error_message = "tls_policy must be one of ELBSecurityPolicy-TLS13-1-2-… or -1-3-…: older ones take TLS 1.0. It is ${var.tls_policy}."
  }
}

variable "clients" {
  description = "Address ranges that may come in; everybody, unless it is said."
  type        = set(string)
  default     = ["0.0.0.0/0"]
  nullable    = false

  validation {
    condition     = alltrue([for cidr in var.clients : can(cidrhost(cidr, 0)) && !strcontains(cidr, ":")])
    error_message = "clients must be IPv4 ranges, like 203.0.113.0/24: ${join(", ", var.clients)}."
  }
}

variable "idle_timeout_seconds" {
  description = "How long a connection may be silent. Keep the application's own keep-alive above it, or clients see 502."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.idle_timeout_seconds >= 1 && var.idle_timeout_seconds <= 4000
    error_message = "idle_timeout_seconds must be between 1 and 4000; it is ${var.idle_timeout_seconds}."
  }
}

variable "access_logs" {
  description = "A bucket with a line for every request, forgotten after `retention_days`; leave it out for none."
  type        = object({ retention_days = optional(number, 90) })
  default     = null

  validation {
    condition     = try(var.access_logs.retention_days >= 1 && floor(var.access_logs.retention_days) == var.access_logs.retention_days, true)
    error_message = "access_logs.retention_days must be a whole number, 1 or more; it is ${try(var.access_logs.retention_days, "-")}."
  }
}

variable "test_listener" {
  description = "A second way in, where a blue/green deployment shows the new version first; `clients`: the address ranges that may use it."
  type = object({
    port    = optional(number, 8443)
    clients = set(string)
  })
  default = null

  validation {
    condition     = try(!contains([80, 443], var.test_listener.port) && var.test_listener.port >= 1 && var.test_listener.port <= 65535, true)
    error_message = "test_listener.port must be between 1 and 65535, and neither 80 nor 443; it is ${try(var.test_listener.port, "-")}."
  }

  validation {
    condition     = try(alltrue([for cidr in var.test_listener.clients : can(cidrhost(cidr, 0)) && !strcontains(cidr, ":")]), true)
    error_message = "test_listener.clients must be IPv4 ranges, like 203.0.113.0/24: ${try(join(", ", var.test_listener.clients), "-")}."
  }

  validation {
    condition     = var.test_listener == null || anytrue(values(var.targets)[*].blue_green)
    error_message = "test_listener is for blue/green deployments, and no target has blue_green: ${join(", ", keys(var.targets))}."
  }
}

variable "web_acl_arn" {
  description = "Web ACL of AWS WAF that judges every request first."
  type        = string
  default     = null

  validation {
    condition     = var.web_acl_arn == null || can(regex("^arn:[a-z-]+:wafv2:[^:]+:[0-9]{12}:regional/webacl/.+$", var.web_acl_arn))
    error_message = "web_acl_arn must be the ARN of a regional web ACL; it is ${coalesce(var.web_acl_arn, "-")}."
  }
}

variable "deletion_protection" {
  description = "Whether AWS refuses to delete the load balancer, and a destroy the access logs."
  type        = bool
}

variable "targets" {
  description = <<-EOT
    What stands behind the load balancer, by service. The one without `route` gets all that no route matches. `blue_green` gives it a second
    target group, and leaves to its deployments which of the two serves.
  EOT
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
    route      = optional(object({ priority = number, paths = list(string) }))
    blue_green = optional(bool, false)
  }))

  validation {
    condition     = length([for target in values(var.targets) : target if target.route == null]) == 1
    error_message = "exactly one service behind the load balancer must have no `route`; there are: ${join(", ", [for service, target in var.targets : service if target.route == null])}."
  }

  validation {
    condition     = alltrue([for service, target in var.targets : length("${var.name}-${service}-${target.port}${target.blue_green ? "-g" : ""}") <= 32])
    error_message = "a target group is named NAME-SERVICE-PORT (blue/green: NAME-SERVICE-PORT-g) and may have 32 characters: ${join(", ", [for service, target in var.targets : "${var.name}-${service}-${target.port}"])}."
  }

  validation {
    condition = alltrue([for check in values(var.targets)[*].health_check : (
      check.interval_seconds >= 5 && check.interval_seconds <= 300 && check.timeout_seconds >= 2 && check.timeout_seconds <= 120 &&
      min(check.healthy_threshold, check.unhealthy_threshold) >= 2 && max(check.healthy_threshold, check.unhealthy_threshold) <= 10
    )])
    error_message = "a load balancer's health_check: interval_seconds 5-300, timeout_seconds 2-120, thresholds 2-10."
  }

  validation {
    condition     = alltrue([for target in values(var.targets) : target.port >= 1 && target.port <= 65535])
    error_message = "a port is between 1 and 65535: ${join(", ", [for service, target in var.targets : "${service} ${target.port}"])}."
  }

  validation {
    condition     = alltrue([for target in values(var.targets) : target.deregistration_delay_seconds >= 0 && target.deregistration_delay_seconds <= 3600])
    error_message = "deregistration_delay_seconds is between 0 and 3600: ${join(", ", [for service, target in var.targets : "${service} ${target.deregistration_delay_seconds}"])}."
  }

  validation {
    condition = alltrue([for route in values(var.targets)[*].route : (
      route.priority >= 1 && route.priority <= 50000 && length(route.paths) >= 1 && length(route.paths) <= 5
    ) if route != null])
    error_message = "a route has a priority of 1-50000 and one to five paths."
  }

  validation {
    condition     = length(distinct([for target in values(var.targets) : target.route.priority if target.route != null])) == length([for target in values(var.targets) : target if target.route != null])
    error_message = "each route needs a priority of its own: ${join(", ", [for service, target in var.targets : "${service} ${target.route.priority}" if target.route != null])}."
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
