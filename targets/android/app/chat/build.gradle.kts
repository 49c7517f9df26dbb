plugins {
    id("com.android.library")
    `maven-publish`
}

group = "edgekit.phone"
version = "0.0.0-version"

android {
    namespace = "edgekit.phone"
    compileSdk = 36

    defaultConfig {
        minSdk = 26
        consumerProguardFiles("consumer-rules.pro")

        ndk {
            abiFilters += listOf("arm64-v8a") // what language models are quick enough on
        }
        externalNativeBuild {
            cmake {
                arguments += listOf("-DANDROID_STL=c++_static", "-DANDROID_SUPPORT_FLEXIBLE_PAGE_SIZES=ON")
            }
        }

        // Nothing newer than Android 8 is called, so an app may compile against any SDK from there on.
        aarMetadata {
            minCompileSdk = 26
        }
    }

    externalNativeBuild {
        cmake {
            path = file("src/main/cpp/CMakeLists.txt")
            version = "3.22.1"
        }
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }

    // Weights do not compress. For an APK the app's own build decides: see README.md.
    androidResources {
        noCompress += listOf("gguf")
    }

    lint {
        targetSdk = 36
    }

    publishing {
        singleVariant("release") {
            withSourcesJar()
        }
    }
}

kotlin {
    explicitApi()
}

dependencies {
    api("org.jetbrains.kotlinx:kotlinx-coroutines-core:1.10.2")
}

publishing {
    publications {
        register<MavenPublication>("release") {
            artifactId = "edgekit-model"

            afterEvaluate {
                from(components["release"])
            }

            pom {
                name = "edgekit-model"
                description = "edgekit-description"
                licenses {
                    license {
                        name = "Apache-2.0"
                        comments = "the code"
                    }
                    license {
                        name = "MIT"
                        comments = "llama.cpp"
                    }
                    license {
                        name = "edgekit-licence"
                        comments = "the weights"
                    }
                }
            }
        }
    }
}
