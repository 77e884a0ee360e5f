variable "name" {
  description = "Name of the dashboard, and prefix of the alarms, for example `shop-stg`."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,100}$", var.name))
    error_message = "name must be 1-100 letters, digits, - and _; it is ${var.name}."
  }
}

variable "region" {
  description = "Region of what the dashboard shows."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must look like ap-northeast-1; it is ${var.region}."
  }
}

variable "cluster" {
  description = "Name of the ECS cluster."
  type        = string
}

variable "services" {
  description = "Names of the ECS services, by short name."
  type        = map(string)
}

variable "container_insights" {
  description = "Whether the cluster counts its tasks (Container Insights): only then is there an alarm for missing ones."
  type        = bool
  default     = false
  nullable    = false
}

variable "load_balancer" {
  description = "The load balancer and the target groups of each service, as metrics know them (`arn_suffix`); leave it out for none."
  type = object({
    arn_suffix    = string
    target_groups = map(list(string))
  })
  default = null

  validation {
    condition     = try(length(setsubtract(keys(var.load_balancer.target_groups), keys(var.services))) == 0, true)
    error_message = "load_balancer.target_groups are those of services: ${try(join(", ", setsubtract(keys(var.load_balancer.target_groups), keys(var.services))), "-")} is none."
  }
}

variable "database" {
  description = "The RDS instance, or with `aurora` the cluster, to watch; leave it out for none."
  type = object({
    identifier = string
    aurora     = optional(bool, false)
  })
  default = null
}

variable "cache" {
  description = "The nodes of the cache to watch, and how many there are; leave it out for none."
  type = object({
    nodes = set(string)
    count = number
  })
  default = null

  validation {
    condition     = try(var.cache.count >= 1 && floor(var.cache.count) == var.cache.count, true)
    error_message = "cache.count must be a whole number, 1 or more; it is ${try(var.cache.count, "-")}."
  }
}

variable "thresholds" {
  description = "From where on it is too much, or too little."
  type = object({
    errors_per_minute    = optional(number, 10)
    latency_seconds      = optional(number, 2)
    cpu_percent          = optional(number, 85)
    memory_percent       = optional(number, 90)
    database_cpu_percent = optional(number, 85)
    database_free_gib    = optional(number, 5)
    cache_memory_percent = optional(number, 85)
  })
  default  = {}
  nullable = false

  validation {
    condition = alltrue([for percent in [
      var.thresholds.cpu_percent, var.thresholds.memory_percent, var.thresholds.database_cpu_percent, var.thresholds.cache_memory_percent
    ] : percent > 0 && percent < 100])
    error_message = "a threshold in percent is above 0 and below 100: cpu ${var.thresholds.cpu_percent}, memory ${var.thresholds.memory_percent}, database cpu ${var.thresholds.database_cpu_percent}, cache memory ${var.thresholds.cache_memory_percent}."
  }

  validation {
    condition     = var.thresholds.errors_per_minute >= 0 && var.thresholds.latency_seconds > 0 && var.thresholds.database_free_gib > 0
    error_message = "errors_per_minute (${var.thresholds.errors_per_minute}) is 0 or more; latency_seconds (${var.thresholds.latency_seconds}) and database_free_gib (${var.thresholds.database_free_gib}) are above 0."
  }
}

variable "patience" {
  description = "An alarm goes off after `bad_minutes` bad minutes of the last `minutes`."
  type = object({
    minutes     = optional(number, 5)
    bad_minutes = optional(number, 3)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.patience.bad_minutes >= 1 && var.patience.bad_minutes <= var.patience.minutes && var.patience.minutes <= 60
    error_message = "patience: at least 1 bad minute, of as many or more, of 60 at most; it is ${var.patience.bad_minutes} of ${var.patience.minutes}."
  }
}

variable "topic_arn" {
  description = "SNS topic that is there already, for example one that a chat listens to. Without one a topic is made."
  type        = string
  default     = null

  validation {
    condition     = var.topic_arn == null || can(regex("^arn:[a-z-]+:sns:[^:]+:[0-9]{12}:[^:]+$", var.topic_arn))
    error_message = "topic_arn must be the ARN of an SNS topic; it is ${coalesce(var.topic_arn, "-")}."
  }
}

variable "kms_key_arn" {
  description = "KMS key that encrypts the topic that is made. Its policy must let `cloudwatch.amazonaws.com` use it; SNS's own key does not."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[^:]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key, not of an alias: CloudWatch may not use SNS's own. It is ${coalesce(var.kms_key_arn, "-")}."
  }
}

variable "emails" {
  description = "Who gets a mail. AWS asks each address once whether it agrees; until then it gets nothing."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for email in var.emails : can(regex("^[^@ ]+@[^@ ]+[.][^@ ]+$", email))])
    error_message = "emails must be addresses: ${join(", ", var.emails)}."
  }
}

variable "webhooks" {
  description = "URLs that are told, by HTTPS. Each must confirm the subscription itself, as incident tools do."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for url in var.webhooks : startswith(url, "https://")])
    error_message = "webhooks must begin with https:// (${length([for url in var.webhooks : url if !startswith(url, "https://")])} of ${length(var.webhooks)} do not)." # they may hold a key: not shown
  }
}
