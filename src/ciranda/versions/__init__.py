"""CODE     repositories, trees and pushes."""
