// The sum of colour histograms.
#pragma once

#include <span>

#include "histogram.hpp"

namespace chromapress {

/// The histogram of all the pixels together; of none, an empty one.
Histogram merge(std::span<const HistogramView> histograms);

}  // namespace chromapress
