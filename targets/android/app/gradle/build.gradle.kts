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
        testInstrumentationRunner = "androidx.test.runner.AndroidJUnitRunner"

        // Nothing newer than Android 8 is called, so an app may compile against any SDK from there on.
        aarMetadata {
            minCompileSdk = 26
        }
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }

    // Weights do not compress. For an APK the app's own build decides: see README.md.
    androidResources {
        noCompress += listOf("edgekit-extensions")
    }

    lint {
        targetSdk = 36
    }

    testOptions {
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
    // The version that the bundle was proven with.
    implementation("edgekit-runtime")
    api("org.jetbrains.kotlinx:kotlinx-coroutines-core:1.10.2")

    testImplementation("junit:junit:4.13.2")
    androidTestImplementation("androidx.test:runner:1.6.2")
    androidTestImplementation("androidx.test.ext:junit:1.2.1")
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
                        name = "edgekit-licence"
                        comments = "the weights"
                    }
                }
            }
        }
    }
}
