"""XML as a tree."""

import xml.etree.ElementTree as ET

read = ET.fromstring
