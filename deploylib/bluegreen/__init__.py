"""Services that CodeDeploy moves: a second task set beside the first, and traffic that goes from one to the other.

* `appspec`: what CodeDeploy is told, made from the contract.
"""
