package org.tensorflow.lite;

/** As LiteRT has it, as far as the modules use it. */
public interface Tensor {
    DataType dataType();

    int numBytes();

    int[] shape();
}
