"""What the model sees of a flight: the same columns in training, in the checks and in the service."""

SEEN = ["hour", "distance", "temp", "humid", "wind_speed", "precip", "pressure", "visib"]
