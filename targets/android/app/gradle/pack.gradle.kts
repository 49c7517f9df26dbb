plugins {
    id("com.android.asset-pack")
}

assetPack {
    packName = "edgekit_model"
    dynamicDelivery {
        // Comes with the app and is opened as its own assets are; no Play library is needed.
        deliveryType = "install-time"
    }
}
