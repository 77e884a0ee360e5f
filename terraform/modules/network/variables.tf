variable "name" {
  description = "Prefix of every name and Name tag, for example `shop-stg`."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,30}[a-z0-9]$", var.name))
    error_message = "name must be 2-32 characters of a-z, 0-9 and inner -, and start with a letter; it is ${var.name}."
  }
}

variable "region" {
  description = "Region the zones belong to."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must look like ap-northeast-1; it is ${var.region}."
  }
}

variable "cidr" {
  description = "Address range of the VPC, a /16 to /22. A sixteenth of it is one public or one private subnet, a sixty-fourth one database subnet."
  type        = string

  validation {
    condition     = can(cidrhost(var.cidr, 0)) && try(tonumber(split("/", var.cidr)[1]), 0) >= 16 && try(tonumber(split("/", var.cidr)[1]), 99) <= 22
    error_message = "cidr must be an IPv4 range from /16 to /22, like 10.0.0.0/16; it is ${var.cidr}."
  }
}

variable "zones" {
  description = "Letters of the availability zones, like [\"a\", \"c\", \"d\"]. Named, not counted: a zone that AWS adds must not move a subnet."
  type        = list(string)

  validation {
    condition     = length(var.zones) >= 2 && length(var.zones) <= 6 && length(distinct(var.zones)) == length(var.zones)
    error_message = "zones must name 2 to 6 different zones (load balancer and database need two): ${join(", ", var.zones)}."
  }

  validation {
    condition     = alltrue([for zone in var.zones : can(regex("^[a-z]$", zone))])
    error_message = "zones are single letters, like \"a\": ${join(", ", var.zones)}."
  }
}

variable "nat_gateways" {
  description = "How many zones get a NAT gateway: one for each zone, 1 for all of them, or 0: nothing in a private subnet reaches the internet."
  type        = number

  validation {
    condition     = var.nat_gateways >= 0 && var.nat_gateways <= length(var.zones) && floor(var.nat_gateways) == var.nat_gateways
    error_message = "nat_gateways must be between 0 and the number of zones (${length(var.zones)}); it is ${var.nat_gateways}."
  }
}

variable "endpoints" {
  description = <<-EOT
    AWS services that the VPC reaches without the internet, by the last part of the endpoint's name: `s3`, `ecr.api`, `ecr.dkr`, `logs`, `ssm`,
    `secretsmanager`. `s3` and `dynamodb` are free gateways; each other one is an interface that costs by the hour in every zone.
  EOT
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for name in var.endpoints : can(regex("^[a-z0-9-]+([.][a-z0-9-]+)*$", name)) && !startswith(name, "com.amazonaws")])
    error_message = "endpoints are named by the last part of their service name, like ecr.dkr: ${join(", ", var.endpoints)}."
  }

  validation {
    condition     = !contains(var.endpoints, "ecr.dkr") || length(setintersection(var.endpoints, ["s3", "ecr.api"])) == 2
    error_message = "ecr.dkr alone pulls nothing: it also needs ecr.api (to sign in) and s3 (where the layers are)."
  }
}

variable "flow_logs" {
  description = "Flow logs of the whole VPC in CloudWatch; leave it out for none. `traffic`: ALL, ACCEPT or REJECT. `interval_seconds`: 60 or 600."
  type = object({
    traffic          = optional(string, "ALL")
    interval_seconds = optional(number, 600)
    retention_days   = optional(number, 30)
    kms_key_arn      = optional(string)
  })
  default = null

  validation {
    condition     = try(contains(["ALL", "ACCEPT", "REJECT"], var.flow_logs.traffic), true)
    error_message = "flow_logs.traffic must be ALL, ACCEPT or REJECT; it is ${try(var.flow_logs.traffic, "-")}."
  }

  validation {
    condition     = try(contains([60, 600], var.flow_logs.interval_seconds), true)
    error_message = "flow_logs.interval_seconds must be 60 or 600; it is ${try(var.flow_logs.interval_seconds, "-")}."
  }

  validation {
    condition = try(contains(
      [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653],
      var.flow_logs.retention_days
    ), true)
    error_message = "CloudWatch Logs does not offer a retention of ${try(var.flow_logs.retention_days, "-")} days; 14, 30, 90 and 365 are common ones."
  }
}
