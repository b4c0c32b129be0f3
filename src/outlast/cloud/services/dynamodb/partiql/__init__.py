"""PartiQL for DynamoDB: statements to the same trees and paths of execution that the other operations use."""
