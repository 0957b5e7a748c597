"""The same application on a Ray cluster: fronts that answer HTTP, and encoders of images behind them."""
