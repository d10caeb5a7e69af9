// How near one image is to another.
#pragma once

#include "histogram.hpp"

namespace chromapress {

/// Peak signal-to-noise ratio in dB, infinite where equal; with alpha, of premultiplied RGBA. The images have one
/// shape.
double psnr(const Pixels& a, const Pixels& b);

/// Structural similarity (Wang, Bovik, Sheikh, Simoncelli 2004): Gaussian window of 11, sigma 1.5, the mean over those
/// windows that lie in the image and over the channels; with alpha, of premultiplied RGBA. Where a side is shorter than
/// 11, one flat window is the whole image. In floats: to within 1e-6.
double ssim(const Pixels& a, const Pixels& b);

}  // namespace chromapress
