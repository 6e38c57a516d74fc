"""A few lines in each of many languages, about owls, prices and names."""

TEXTS = {
    "Spanish": "Señor Peña vive en Cádiz desde hace años.\nEl búho real caza de noche y oye a los ratones bajo la nieve.\n"
    "¿Cuánto cuesta la edición española? Cuesta 25 euros, según el catálogo.\nMañana viajará a Córdoba con su niña.\n",
    "Portuguese": "A coruja não dorme à noite, pois é então que caça.\nJoão e Conceição moram em São Paulo há três anos.\n"
    "As informações estão na página seguinte; não há exceções.\nO preço médio é de 12 reais por refeição.\n",
    "French": "La chouette effraie chasse la nuit et niche dans les vieux bâtiments.\n"
    "Où est passé le garçon qui apportait les journaux de l'été ?\nÇa coûte très cher, à peu près vingt euros la pièce.\n"
    "Les élèves étaient prêts dès huit heures.\n",
    "German": "Die Schleiereule jagt nachts und hört Mäuse unter dem Schnee.\nHerr Müller grüßt die Gäste aus Köln.\n"
    "Für größere Bestellungen gewähren wir zehn Prozent Nachlass.\nÄpfel und Öl kosten überall ungefähr gleich viel.\n",
    "Italian": "La civetta caccia di notte perché così trova più topi.\nLa città è bella, però c'è troppa umidità.\n"
    "Il caffè costa un euro e venti.\nGià lunedì sarà tutto pronto, cioè prima del previsto.\n",
    "Dutch": "De kerkuil jaagt 's nachts en hoort muizen onder de sneeuw.\nDe coördinatie van beide projecten is geëindigd.\n"
    "Hij heeft één idee, en dat is zeer efficiënt.\nIn België zijn de financiële gevolgen groot.\n",
    "Swedish": "Tornugglan jagar på natten och hör möss under snön.\nÅsa Björk bor i Malmö sedan två år.\n"
    "Vi behöver fler böcker på svenska för våra läsare.\nDet är inte så svårt att förstå.\n",
    "Danish": "Sløruglen jager om natten og hører mus under sneen.\nSøren Kjær bor på Ærø med sin kæreste.\n"
    "Vi åbner først klokken ti, når lærerne er færdige.\nRødgrød med fløde er dyrt på øen.\n",
    "Norwegian": "Tårnugla jakter om natten og hører mus under snøen.\nPå Tromsø er det mørkt store deler av vinteren.\n"
    "Vi må gjøre det før året er over.\nBåten går fra Bodø klokken åtte.\n",
    "Finnish": "Tornipöllö saalistaa yöllä ja kuulee hiiret lumen alta.\nHän ei tiennyt, että kesä tulisi näin myöhään.\n"
    "Jyväskylässä on tänään sää, jossa on hyvä kävellä.\nTämä pöytä maksaa sata euroa.\n",
    "Icelandic": "Uglan veiðir á nóttunni og heyrir mýs undir snjónum.\nÞað er gott að búa í Reykjavík, sagði Þórður.\n"
    "Hún á sér enga ósk æðri en þá að sjá börnin.\nVerðið er níu þúsund krónur.\n",
    "Polish": "Płomykówka poluje w nocy i słyszy myszy pod śniegiem.\nPani Wiśniewska mieszka w Łodzi od pięciu lat.\n"
    "Proszę przesłać zamówienie do końca miesiąca.\nŻółw i jeż poszły później spać.\n",
    "Czech": "Sova pálená loví v noci a slyší myši pod sněhem.\nPaní Nováková žije v Plzni už pět let.\n"
    "Příliš žluťoučký kůň úpěl ďábelské ódy.\nDěkujeme za vaši objednávku, zboží pošleme zítra.\n",
    "Slovak": "Plamienka loví v noci a počuje myši pod snehom.\nPani Kováčová žije v Košiciach už päť rokov.\n"
    "Ďakujeme za vašu objednávku, tovar pošleme zajtra.\nKôň vôbec nechcel ísť ďalej.\n",
    "Hungarian": "A gyöngybagoly éjjel vadászik, és hallja az egereket a hó alatt.\nKőszegi úr öt éve él Győrött.\n"
    "Köszönjük a megrendelést, a terméket holnap küldjük.\nAz őszi idő nagyon hűvös volt.\n",
    "Romanian": "Strigă în noapte o bufniță, care vânează şoareci sub zăpadă.\nDomnul Ionescu locuieşte în Braşov de cinci ani.\n"
    "Vă mulţumim pentru comandă, o trimitem mâine.\nPreţul este prea mare în această ţară.\n".replace("ț", "ţ"),
    "Croatian": "Kukuvija lovi noću i čuje miševe ispod snijega.\nGospođa Horvat živi u Šibeniku već pet godina.\n"
    "Hvala na narudžbi, pošiljku šaljemo sutra.\nŽao mi je što će doći tek kasnije.\n",
    "Slovene": "Pegasta sova lovi ponoči in sliši miši pod snegom.\nGospa Kovač živi v Škofji Loki že pet let.\n"
    "Hvala za naročilo, pošiljko pošljemo jutri.\nČe bo dež, žal ne bomo šli na sprehod.\n",
    "Turkish": "Peçeli baykuş gece avlanır ve karın altındaki fareleri duyar.\nAyşe Hanım beş yıldır İzmir'de yaşıyor.\n"
    "Siparişiniz için teşekkürler, ürünü yarın göndereceğiz.\nÇocuğun ağzı açık kaldı.\n",
    "Greek": "Η κουκουβάγια κυνηγά τη νύχτα και ακούει τα ποντίκια κάτω από το χιόνι.\n"
    "Ο κύριος Παπαδόπουλος ζει στη Θεσσαλονίκη εδώ και πέντε χρόνια.\nΗ τιμή είναι δέκα ευρώ.\n",
    "Russian": "Сипуха охотится ночью и слышит мышей под снегом.\nГоспожа Иванова живёт в Казани уже пять лет.\n"
    "Спасибо за заказ, товар отправим завтра.\nЦена книги слишком высока для студентов.\n",
    "Ukrainian": "Сипуха полює вночі й чує мишей під снігом.\nПані Шевченко живе у Львові вже п'ять років.\n"
    "Дякуємо за замовлення, товар надішлемо завтра.\nЇжак і єнот не їдять яблук.\n",
    "Bulgarian": "Забулената сова ловува нощем и чува мишките под снега.\nГоспожа Петрова живее във Варна от пет години.\n"
    "Благодарим за поръчката, ще я изпратим утре.\nЦената на книгата е твърде висока.\n",
    "Hebrew": "התנשמת צדה בלילה ושומעת עכברים מתחת לשלג.\nגברת כהן גרה בחיפה כבר חמש שנים.\n"
    "תודה על ההזמנה, נשלח את המוצר מחר.\nהמחיר של הספר גבוה מדי.\n",
    "Arabic": "تصطاد البومة ليلا وتسمع الفئران تحت الثلج.\nتعيش السيدة فاطمة في القاهرة منذ خمس سنوات.\n"
    "شكرا على طلبكم، سنرسل المنتج غدا.\nسعر الكتاب مرتفع جدا للطلاب.\n",
    "Thai": "นกแสกล่าเหยื่อในเวลากลางคืนและได้ยินเสียงหนูใต้หิมะ\nคุณสมชายอาศัยอยู่ที่เชียงใหม่มาห้าปีแล้ว\n"
    "ขอบคุณสำหรับการสั่งซื้อ เราจะส่งสินค้าพรุ่งนี้\n",
    "Vietnamese": "Chim cú săn mồi vào ban đêm và nghe thấy chuột dưới tuyết.\nBà Nguyễn đã sống ở Hà Nội được năm năm.\n"
    "Cảm ơn quý khách đã đặt hàng, chúng tôi sẽ gửi vào ngày mai.\n",
    "Japanese": "フクロウは夜に狩りをし、雪の下のネズミの音を聞きます。\n田中さんは五年前から東京に住んでいます。\n"
    "ご注文ありがとうございます。商品は明日発送します。\nこの本の値段は学生には高すぎます。\n",
    "Chinese": "猫头鹰在夜里捕猎，能听见雪下老鼠的声音。\n王先生在北京已经住了五年。\n"
    "感谢您的订购，我们明天发货。\n这本书的价格对学生来说太高了。\n",
    "Chinese (traditional)": "貓頭鷹在夜裡捕獵，能聽見雪下老鼠的聲音。\n王先生在台北已經住了五年。\n"
    "感謝您的訂購，我們明天出貨。\n這本書的價格對學生來說太高了。\n",
    "Korean": "올빼미는 밤에 사냥하며 눈 아래에 있는 쥐의 소리를 듣습니다.\n김 선생님은 서울에서 오 년 동안 살고 있습니다.\n"
    "주문해 주셔서 감사합니다. 상품은 내일 보내 드리겠습니다.\n",
}

_WESTERN = ("cp1252", "latin-1", "iso8859-15", "cp850", "cp437", "mac_roman")
_CENTRAL = ("cp1250", "iso8859-2", "cp852")
_NORDIC = ("cp1252", "latin-1", "iso8859-15", "cp850", "cp865", "mac_roman")
_CYRILLIC = ("cp1251", "koi8-r", "cp866", "iso8859-5", "mac_cyrillic")

#: What texts of these languages have been written in, besides UTF-8 and UTF-16.
ENCODINGS = {
    **dict.fromkeys(("Spanish", "Portuguese", "French", "German", "Italian", "Dutch"), _WESTERN),
    **dict.fromkeys(("Swedish", "Danish", "Norwegian", "Finnish", "Icelandic"), _NORDIC),
    **dict.fromkeys(("Polish", "Czech", "Slovak", "Hungarian", "Romanian", "Croatian", "Slovene"), _CENTRAL),
    "Turkish": ("cp1254", "iso8859-9", "cp857"),
    "Greek": ("cp1253", "iso8859-7"),
    "Russian": _CYRILLIC,
    "Ukrainian": ("cp1251", "koi8-u", "iso8859-5"),
    "Bulgarian": ("cp1251", "iso8859-5"),
    "Hebrew": ("cp1255", "iso8859-8"),
    "Arabic": ("cp1256", "iso8859-6"),
    "Thai": ("cp874",),
    "Vietnamese": ("cp1258",),
    "Japanese": ("shift_jis", "euc-jp", "iso2022-jp"),
    "Chinese": ("gb18030", "gbk", "gb2312"),
    "Chinese (traditional)": ("big5",),
    "Korean": ("euc-kr", "cp949"),
}
