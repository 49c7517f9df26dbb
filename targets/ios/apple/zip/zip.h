// The two functions of zlib that are used. The library is part of every system of Apple's, and of Linux.
unsigned long compressBound(unsigned long size);
int compress(unsigned char *out, unsigned long *out_size, const unsigned char *in, unsigned long in_size);
