val reader = TextReader.open(context)
reader.read(bitmap).forEach { println("${it.text} (${it.score})") }
reader.close()
