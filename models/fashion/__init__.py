"""Networks of edgekit itself, trained by `make train` on Fashion-MNIST: pictures of clothes, 28 x 28, grey on black."""
