val forecaster = Forecaster.open(context)
println(forecaster.forecast(series).median) // a DoubleArray; gaps are NaN
forecaster.close()
